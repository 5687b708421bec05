//! The running program: starts and stops its roles.
//!
//! A web process answers requests, a worker runs jobs, and a scheduler enqueues the jobs of schedules. Any number of
//! processes may run any roles on one database. A process also starts while its database is unreachable. It answers 503
//! until the database can be reached and is prepared, and then begins its work. A process ends when it finds out that its
//! version does not work on the database.

mod error;
mod prepare;
pub(crate) mod timekeeping;

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nightshift_db::{Clock, Db, new_id};
use nightshift_domain::calls::Dialing;
use nightshift_jobs::{App, Calls, Carriers, Dialer, OpenPhone, ProductionLine, Reconciliation, TestLine};
use nightshift_providers::openphone::OpenPhoneClient;
use nightshift_providers::twilio::TwilioClient;
use nightshift_providers::vapi::{VapiClient, WebhookProof};
use nightshift_providers::{ClientError, http_client};
use nightshift_queue::{Health, Queue, Worker, WorkerHandle, WorkerOptions};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;

pub use self::error::StartError;
use self::prepare::Prepared;
use crate::config::{Settings, SmsProvider, session_secret};
use crate::web::receiver::{Receiver, Refusals, replies_awaited_max};
use crate::web::{self, Failures, Hub, RateLimits, Running, Shared, Web};
use crate::{scheduler, telemetry};

/// A part of the program that can run in its own process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Answers requests.
    Web,
    /// Runs jobs.
    Worker,
    /// Enqueues the jobs of schedules.
    Scheduler,
}

impl Role {
    pub const ALL: &'static [Self] = &[Self::Web, Self::Worker, Self::Scheduler];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Worker => "worker",
            Self::Scheduler => "scheduler",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let role = Self::ALL.iter().find(|role| role.as_str() == word).copied();
        role.ok_or_else(|| "a role is web, worker or scheduler".to_owned())
    }
}

/// A running program. Dropping it ends the program abruptly. [`RunningApp::stop`] ends it gracefully.
pub struct RunningApp {
    /// The address of the HTTP server. `None` without the web role.
    pub addr: Option<SocketAddr>,
    pub db: Db,
    pub queue: Queue,
    web: Option<Web>,
    server: Option<JoinHandle<()>>,
    stop_server: CancellationToken,
    worker: Option<WorkerHandle>,
    services: Vec<AbortHandle>,
    unfit: JoinHandle<StartError>,
}

/// Starts `roles` of the program.
///
/// # Errors
/// See [`StartError`]. An unreachable database server is not an error.
pub async fn start(settings: Settings, clock: Clock, roles: &[Role]) -> Result<RunningApp, StartError> {
    refuse(&settings)?;
    let metrics = telemetry::metrics().map_err(|error| StartError::Setup(error.to_string()))?;
    let listener = if roles.contains(&Role::Web) { Some(listen(&settings).await?) } else { None };
    let addr = listener.as_ref().and_then(|listener| listener.local_addr().ok());
    let public_url = public_url(&settings, addr);
    let db = Db::connect(settings.database.url_text(), &settings.database.options()).await?;
    let mut services = vec![tokio::spawn(telemetry::keep_up(metrics.clone())).abort_handle()];
    services.push(tokio::spawn(timekeeping::keep(db.clone(), clock.clone())).abort_handle());
    let Prepared { db, unfit } = prepare::database(&db, &settings, &clock).await?;
    services.push(unfit.abort_handle());
    let queue = Queue::new(db.clone(), clock.clone());

    // Decided once, because the web process must announce what the worker does.
    let dialing = settings.calls.dialing();
    let worker = if roles.contains(&Role::Worker) {
        Some(start_worker(&settings, &queue, &public_url, &dialing)?)
    } else {
        None
    };
    if roles.contains(&Role::Scheduler) {
        let clock = scheduler::Clockwork::new(&settings).map_err(|error| StartError::Setup(error.to_string()))?;
        services.push(tokio::spawn(clock.run(queue.clone())).abort_handle());
    }
    let stop_server = CancellationToken::new();
    let (mut web, mut server) = (None, None);
    if let Some(listener) = listener {
        let health = worker.as_ref().map(WorkerHandle::health);
        let shared = share(settings, public_url, &queue, metrics, health, dialing)?;
        let (timeout, grace) = (shared.settings.http.header_timeout, shared.settings.worker.shutdown_grace);
        let (router, stopped) = (web::router(shared.clone()), stop_server.clone());
        web = Some(shared);
        server = Some(tokio::spawn(async move {
            web::server::serve(listener, router, timeout, stopped.cancelled(), grace).await;
        }));
    }
    Ok(RunningApp { addr, db, queue, web, server, stop_server, worker, services, unfit })
}

/// Returns the refusals of the settings as an error, and logs their warnings.
fn refuse(settings: &Settings) -> Result<(), StartError> {
    let mut refusals = settings.refusals();
    let known = nightshift_jobs::registry().queues();
    for queue in settings.worker.queues.iter().filter(|queue| !known.contains(&queue.as_str())) {
        refusals.push(format!("worker.queues names {queue:?}, which is not a queue; allowed: {}", known.join(", ")));
    }
    if !refusals.is_empty() {
        return Err(StartError::Refused(refusals));
    }
    for warning in settings.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(())
}

async fn listen(settings: &Settings) -> Result<TcpListener, StartError> {
    let (host, port) = (settings.http.host.as_str(), settings.http.port);
    TcpListener::bind((host, port))
        .await
        .map_err(|source| StartError::Listen { address: format!("{host}:{port}"), source })
}

/// Returns the public URL, with the port that the operating system chose if the settings ask for a free one.
fn public_url(settings: &Settings, addr: Option<SocketAddr>) -> String {
    match addr {
        Some(addr) if settings.http.port == 0 && settings.http.public_url.is_none() => {
            let mut settings = settings.clone();
            settings.http.port = addr.port();
            settings.public_url()
        }
        _ => settings.public_url(),
    }
}

fn start_worker(
    settings: &Settings,
    queue: &Queue,
    public_url: &str,
    dialing: &Dialing,
) -> Result<WorkerHandle, StartError> {
    let calls = Calls {
        dialer: dialer(settings, dialing)?,
        webhook_proof: webhook_proof(settings),
        poll_interval: settings.calls.poll_interval,
        polls_max: settings.calls.max_polls,
    };
    let reconciliation = Reconciliation {
        chunk_size: settings.reconciliation.chunk_size,
        lookback: settings.reconciliation.lookback,
        thresholds: settings.reconciliation.thresholds,
    };
    let (grace, onboarding) = (settings.messaging.window_grace, settings.onboarding.number.clone());
    let app = App::new(carriers(settings)?, calls, reconciliation, public_url.to_owned(), grace, onboarding);
    let options =
        WorkerOptions { concurrency: settings.worker.concurrency.clone(), queues: settings.worker.queues.clone() };
    Worker::new(queue.clone(), nightshift_jobs::registry(), Arc::new(app))
        .options(options)
        .start()
        .map_err(|error| StartError::Setup(format!("the worker's thread can't be started: {error}")))
}

/// Creates the clients of the carriers that send texts.
///
/// # Errors
/// Returns [`ClientError`] if a carrier's URL is not valid.
pub fn carriers(settings: &Settings) -> Result<Carriers, ClientError> {
    Ok(match (settings.messaging.sms_provider, twilio(settings)?) {
        (SmsProvider::Twilio, Some(twilio)) => {
            Carriers::Real { twilio: Arc::new(twilio), openphone: openphone(settings)?.map(OpenPhone::new) }
        }
        // Settings that name Twilio without its credentials were refused before.
        _ => Carriers::Simulated,
    })
}

/// Creates Twilio's client. `None` without an account.
///
/// # Errors
/// Returns [`ClientError`] if Twilio's URL is not valid.
pub fn twilio(settings: &Settings) -> Result<Option<TwilioClient>, ClientError> {
    let twilio = &settings.twilio;
    let (Some(account), Some(token)) = (&twilio.account_sid, twilio.auth_tokens.first()) else { return Ok(None) };
    let client = TwilioClient::new(&twilio.base_url, account.clone(), token.clone(), http_client()?)?;
    Ok(Some(match (&twilio.api_key_sid, &twilio.api_key_secret) {
        (Some(key), Some(secret)) => client.with_api_key(key.clone(), secret.clone()),
        _ => client,
    }))
}

/// Creates OpenPhone's client. `None` without an API key.
///
/// # Errors
/// Returns [`ClientError`] if OpenPhone's URL is not valid.
pub fn openphone(settings: &Settings) -> Result<Option<OpenPhoneClient>, ClientError> {
    let Some(key) = &settings.openphone.api_key else { return Ok(None) };
    Ok(Some(OpenPhoneClient::new(&settings.openphone.base_url, key.clone(), http_client()?)?))
}

/// Returns the proof that VAPI sends with its reports: a credential stored at VAPI, or else the shared secret.
fn webhook_proof(settings: &Settings) -> Option<WebhookProof> {
    let stored = settings.vapi.credential_id.clone().map(WebhookProof::Credential);
    stored.or_else(|| settings.webhooks.vapi_secrets.first().cloned().map(WebhookProof::Secret))
}

/// Creates the client that places calls to the numbers that `dialing` allows.
///
/// # Errors
/// Returns [`ClientError`] if VAPI's URL is not valid.
pub fn dialer(settings: &Settings, dialing: &Dialing) -> Result<Dialer, ClientError> {
    let vapi = &settings.vapi;
    let (Some(key), Some(assistant), Some(number)) = (&vapi.api_key, &vapi.assistant_id, &vapi.phone_number_id) else {
        // Settings with real calls but without a VAPI account were refused before.
        return Ok(Dialer::Simulated);
    };
    let client = || VapiClient::new(&vapi.base_url, key.clone(), assistant.clone(), number.clone(), http_client()?);
    Ok(match dialing {
        Dialing::Simulated => Dialer::Simulated,
        Dialing::Test(phone) => Dialer::Test(TestLine::new(client()?, phone.clone())),
        Dialing::Production => Dialer::Production(ProductionLine::new(client()?)),
    })
}

fn share(
    settings: Settings,
    public_url: String,
    queue: &Queue,
    metrics: metrics_exporter_prometheus::PrometheusHandle,
    worker: Option<Health>,
    dialing: Dialing,
) -> Result<Web, StartError> {
    Ok(Web::new(Shared {
        session_secret: session_secret(&settings)?,
        in_flight: Semaphore::new(settings.http.requests_in_flight_max),
        replies_awaited: Semaphore::new(replies_awaited_max(&settings)),
        running: Running::of(new_id(queue.clock().now())),
        rates: RateLimits::new(&settings.http),
        receiver: Receiver::start(queue.clone()),
        refusals: Refusals::default(),
        failures: Failures::default(),
        db: queue.db().clone(),
        clock: queue.clock().clone(),
        queue: queue.clone(),
        public_url,
        settings,
        metrics,
        worker,
        dialing,
        hub: Hub::default(),
        closing: CancellationToken::new(),
    }))
}

impl RunningApp {
    /// Returns the base URL for clients on this machine. Empty without the web role.
    #[must_use]
    pub fn url(&self) -> String {
        self.addr.map(|addr| format!("http://{addr}")).unwrap_or_default()
    }

    /// Waits until this version turns out not to work on its database, and returns why: the reason for which it would not
    /// start. The program then accepts no more requests, and must be stopped.
    pub async fn unfit(&mut self) -> StartError {
        let error = (&mut self.unfit).await.unwrap_or_else(|error| StartError::Setup(error.to_string()));
        self.stop_server.cancel();
        error
    }

    /// Stops the program gracefully. It reports to load balancers that it shuts down, and claims no more jobs. Running
    /// jobs may finish within `grace`, and the rest is given back to the queue. The HTTP server stops last.
    pub async fn stop(mut self, grace: Duration) {
        let started = Instant::now();
        if let Some(web) = &self.web {
            web.shut_down();
        }
        self.services.drain(..).for_each(|service| service.abort());
        if let Some(worker) = self.worker.take() {
            worker.shutdown(grace).await;
        }
        self.stop_server.cancel();
        if let Some(server) = self.server.take() {
            let left = grace.saturating_sub(started.elapsed()).max(Duration::from_secs(1));
            if tokio::time::timeout(left, server).await.is_err() {
                tracing::warn!("requests were cut off: the grace time is over");
            }
        }
    }
}

impl Drop for RunningApp {
    fn drop(&mut self) {
        self.services.iter().for_each(AbortHandle::abort);
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}
