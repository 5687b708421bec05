//! `nightshift demo`: a paid booking from webhook to delivered text, a price that drifts and is found, and a booking call
//! from the click to the appointment, over real HTTP, with simulated providers.
//!
//! Nothing in here is a shortcut: the demo starts the same roles as `serve`, talks to them as a website and Stripe do,
//! and reads back what came of it through the API. It uses none of the installation's settings but where to listen and
//! what to log, so it can neither text real people nor touch real data.

mod call;
mod database;
mod day;
mod prices;
mod session;
mod trail;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use nightshift_db::Clock;
use nightshift_domain::access::api_keys::{self, Scope};
use nightshift_domain::seed::Seed;
use nightshift_jobs::{Enqueuer, load_seed};
use nightshift_lab::simulator::{Accounts, Simulator, TwilioAccount, VapiAccount};
use nightshift_queue::Queue;
use secrecy::{ExposeSecret, SecretString};

use crate::app::{self, Role, RunningApp};
use crate::cli::signals::Signals;
use crate::config::{Environment, Settings, SmsProvider};
use crate::output::say;
use database::Place;
use day::Cast;
use trail::Trail;

/// The business; also the example for `nightshift seed`.
pub(crate) const SEED: &str = include_str!("../../config/demo-seed.json");
/// What Stripe signs with in the demo.
const STRIPE_SECRET: &str = "whsec_demo_only";
const GRACE: Duration = Duration::from_secs(5);

/// Where, and for how long.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nightshift demo                  play it, and leave the server up to look around
  nightshift demo --exit           play it and end; exit code 1 when anything did not come out as told
  nightshift demo --exit --database-url postgres://user:password@host/scratch")]
pub struct Args {
    /// End when the day is over.
    #[arg(long)]
    exit: bool,
    /// Play it in this database instead of a fresh SQLite file. It is migrated and filled with a made-up business.
    #[arg(long, value_name = "URL", value_parser = |url: &str| Ok::<_, std::convert::Infallible>(SecretString::from(url)))]
    database_url: Option<SecretString>,
}

/// Plays the demo.
///
/// # Errors
/// What could not be started.
pub async fn run(args: &Args, installed: Settings) -> anyhow::Result<ExitCode> {
    if installed.environment == Environment::Production && args.database_url.is_some() {
        bail!(
            "in production the demo plays in a database of its own: it makes users whose password everybody can read"
        );
    }
    let mut signals = Signals::listen()?;
    let place = Place::choose(args.database_url.clone(), args.exit)?;
    let simulator = start_simulator().await?;
    let settings = settings(&installed, &place, &simulator, args.exit)?;
    let shown = settings.database.shown();
    let app = app::start(settings, Clock::system(), Role::ALL).await?;
    let key = fill(&app.queue).await?;

    say!(
        "Nightshift plays a day. Server {}, simulated providers {}, database {shown}",
        app.url(),
        simulator.base_url()
    );
    say!();
    let cast = Cast::new(app.url(), key.clone(), STRIPE_SECRET.into(), &simulator, &app.queue)?;
    let mut trail = Trail::start();
    let played = async {
        let booking = day::play(&cast, &mut trail).await?;
        prices::play(&cast, &mut trail, &booking).await
    };
    if let Err(error) = played.await {
        trail.wrong(format_args!("{error:#}"));
    }
    let request = match call::play(&cast, &mut trail).await {
        Ok(url) => Some(url),
        Err(error) => {
            trail.wrong(format_args!("{error:#}"));
            None
        }
    };
    let code = trail.end();
    if args.exit {
        return end(app, simulator, code).await;
    }
    print_invitation(&app, &key, request.as_deref());
    signals.next().await;
    end(app, simulator, ExitCode::SUCCESS).await
}

async fn end(app: RunningApp, simulator: Simulator, code: ExitCode) -> anyhow::Result<ExitCode> {
    let db = app.db.clone();
    app.stop(GRACE).await;
    simulator.stop().await;
    db.close().await;
    Ok(code)
}

async fn start_simulator() -> anyhow::Result<Simulator> {
    let accounts = Accounts { twilio: TwilioAccount::default(), ..Accounts::default() };
    Simulator::start("127.0.0.1:0", accounts).await.context("the simulated providers can't be started")
}

fn settings(installed: &Settings, place: &Place, simulator: &Simulator, exit: bool) -> anyhow::Result<Settings> {
    let account = TwilioAccount::default();
    let mut settings = Settings::built_in()?;
    settings.log = installed.log.clone();
    settings.http.host = "127.0.0.1".to_owned();
    // Nobody visits a demo that ends by itself, so it stays out of the way of a server that may be running.
    settings.http.port = if exit { 0 } else { installed.http.port };
    settings.database.url = place.url();
    settings.auth.session_secret = Some(api_keys::random_secret().into());
    settings.webhooks.validation = true;
    settings.webhooks.stripe_secrets = vec![STRIPE_SECRET.into()];
    settings.messaging.sms_provider = SmsProvider::Twilio;
    settings.twilio.base_url = simulator.base_url();
    settings.twilio.account_sid = Some(account.account_sid);
    settings.twilio.auth_tokens = vec![account.auth_token];
    let account = VapiAccount::default();
    settings.calls.live = true;
    // A day is short here.
    settings.calls.poll_interval = Duration::from_millis(300);
    settings.vapi.base_url = simulator.base_url();
    settings.vapi.api_key = Some(account.api_key);
    settings.vapi.assistant_id = Some(account.assistant_id);
    settings.vapi.phone_number_id = Some(account.phone_number_id);
    settings.webhooks.vapi_secrets = vec!["demo-only".into()];
    Ok(settings)
}

/// Loads the business and makes the website's key.
async fn fill(queue: &Queue) -> anyhow::Result<SecretString> {
    let now = queue.clock().now();
    let business = Seed::parse(SEED).context("the built-in seed")?;
    let mut tx = queue.db().begin().await?;
    load_seed(&Enqueuer::of_request(queue), &mut tx, &business)
        .await
        .context("the built-in seed can't be loaded into this database")?;
    let scopes = [Scope::BookingsRead, Scope::BookingsWrite, Scope::MessagesRead, Scope::RequestsWrite].into();
    let issued = api_keys::create(&mut tx, Some(&day::ORGANISATION.into()), "demo website", &scopes, now).await?;
    tx.commit().await?;
    Ok(issued.text)
}

fn print_invitation(app: &RunningApp, key: &SecretString, request: Option<&str>) {
    let url = app.url();
    say!();
    say!("The server stays up; Ctrl-C ends it. Look around:");
    say!("  curl -H 'Authorization: Bearer {}' {url}/api/bookings", key.expose_secret());
    if let Some(page) = request {
        say!("  {page}");
    }
    say!("  {url}/exceptions  (owner@happy-paws.example or ops@nightshift.example, password: happy paws demo)");
    say!("  curl {url}/readyz");
    say!("  curl {url}/metrics");
}
