//! A worker process: everything that claims, runs and finishes jobs, started and stopped together.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use nightshift_db::{Clock, Db, Engine, Timestamp, failpoint, new_id};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};

use crate::handlers::registry::Registry;
use crate::leases::renewal;
use crate::leases::rescue::Rescue;
use crate::leases::table::Leases;
use crate::runtime::dispatcher::{Dispatcher, pause_after_error};
use crate::runtime::pool::Pool;
use crate::runtime::presence::Presence;
use crate::runtime::result_writer::ResultWriter;
use crate::runtime::run::Runs;
use crate::runtime::slots::Slots;
use crate::runtime::supervise::supervise;
use crate::store::hot;
use crate::store::queue::Queue;
use crate::store::wake::Wake;

/// Slots of a queue that is not named in the options.
const SLOTS_DEFAULT: usize = 256;
/// The dispatcher has had no answer from the database for so long: the worker is not ready.
const STALE_AFTER: Duration = Duration::from_secs(30);

/// How a worker runs.
#[derive(Debug, Clone, Default)]
pub struct WorkerOptions {
    /// Jobs at a time by queue; queues of the registry that are not named get a default that is meant to be fast.
    pub concurrency: BTreeMap<String, usize>,
    /// Runs only these queues; all of the registry's when empty.
    pub queues: Vec<String>,
}

/// A worker about to start.
pub struct Worker<S> {
    queue: Queue,
    registry: Registry<S>,
    app: Arc<S>,
    options: WorkerOptions,
}

impl<S: Send + Sync + 'static> Worker<S> {
    /// A worker of `queue` that knows the kinds of `registry`; handlers share `app`.
    #[must_use]
    pub fn new(queue: Queue, registry: Registry<S>, app: Arc<S>) -> Self {
        Self { queue, registry, app, options: WorkerOptions::default() }
    }

    /// Sets the options.
    #[must_use]
    pub fn options(mut self, options: WorkerOptions) -> Self {
        self.options = options;
        self
    }

    /// Starts claiming. It needs no database yet: it keeps trying until there is one.
    ///
    /// # Errors
    /// When the operating system gives no thread for lease renewal.
    pub fn start(self) -> std::io::Result<WorkerHandle> {
        let Self { queue, registry, app, options } = self;
        let clock = queue.clock().clone();
        let wake = queue.wake().clone();
        let registry = Arc::new(registry);
        let leases = Arc::new(Leases::default());
        let hot = hot::connections(queue.db());
        let worker_id = new_id(clock.now());
        let (stop, stopped) = watch::channel(false);
        let (pool_stop, pool_stopped) = watch::channel(false);
        let (renewal_stop, renewal_stopped) = watch::channel(false);
        let last_claim_ms = Arc::new(AtomicI64::new(clock.now().unix_ms()));
        // Before anything can be claimed.
        renewal::start(&hot, clock.clone(), leases.clone(), wake.clone(), renewal_stopped)?;

        let (runs, mut endings) = Runs::channel(leases.clone(), clock.clone(), registry.policies());
        let writer =
            ResultWriter { db: hot.clone(), clock: clock.clone(), registry: registry.clone(), wake: wake.clone() };
        let writing = tokio::spawn(async move { writer.run(&mut endings).await });

        let names: Vec<String> =
            registry.queues().into_iter().filter(|name| options.runs(name)).map(str::to_owned).collect();
        let slots = names.iter().map(|name| {
            let capacity = options.concurrency.get(name).copied().unwrap_or(SLOTS_DEFAULT).max(1);
            Slots::new(name.clone(), capacity, wake.clone())
        });
        let slots = slots.collect();
        // Of every kind: a job may be in another queue than its kind's.
        let (pool, deliveries) = Pool::new(registry.kinds(), app, queue);
        let running = tokio::spawn(pool.run(pool_stopped));

        let dispatcher = Dispatcher {
            db: hot.clone(),
            clock: clock.clone(),
            worker_id: worker_id.clone(),
            kinds: registry.names(),
            slots,
            deliveries,
            wake: wake.clone(),
            runs,
            last_claim_ms: last_claim_ms.clone(),
            unparked: AtomicBool::new(false),
        };
        let dispatching = tokio::spawn(dispatch(dispatcher, stopped));
        let rescue = Arc::new(Rescue {
            db: hot.clone(),
            clock: clock.clone(),
            registry,
            wake: wake.clone(),
            far: Mutex::default(),
            looks: AtomicU64::default(),
        });
        let presence =
            Presence { db: hot.clone(), clock: clock.clone(), id: worker_id, queues: names, leases: leases.clone() };
        let services = vec![
            tokio::spawn(supervise("rescue", move || rescue.clone().run())).abort_handle(),
            tokio::spawn(hear_others(hot.clone(), wake)).abort_handle(),
            tokio::spawn(supervise("presence", {
                let presence = presence.clone();
                move || presence.clone().keep()
            }))
            .abort_handle(),
        ];
        Ok(WorkerHandle {
            health: Health { clock, last_claim_ms, stopping: stop.subscribe(), running: running.abort_handle() },
            stop,
            pool_stop,
            renewal_stop,
            leases,
            running,
            dispatching,
            writing,
            services,
            presence,
        })
    }
}

impl WorkerOptions {
    fn runs(&self, queue: &str) -> bool {
        self.queues.is_empty() || self.queues.iter().any(|name| name == queue)
    }
}

/// Dispatches until told to stop, or until nobody can tell; whatever fails is tried again.
async fn dispatch(dispatcher: Dispatcher, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() && stop.has_changed().is_ok() {
        match AssertUnwindSafe(dispatcher.run(&mut stop)).catch_unwind().await {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => tracing::warn!(%error, "jobs could not be claimed; trying again"),
            Err(_) => tracing::error!("claiming jobs panicked; trying again"),
        }
        pause_after_error().await;
    }
}

async fn hear_others(db: Db, wake: Arc<Wake>) {
    match db.engine() {
        Engine::Postgres => {
            supervise("listener", || wake.listen(&db)).await;
        }
        Engine::Sqlite => {
            let path = db.sqlite_path().map(std::path::Path::to_owned).unwrap_or_default();
            supervise("listener", || async {
                wake.watch(&path).await;
                Ok(())
            })
            .await;
        }
    }
}

/// Whether a worker gets on.
#[derive(Clone)]
pub struct Health {
    clock: Clock,
    last_claim_ms: Arc<AtomicI64>,
    stopping: watch::Receiver<bool>,
    /// Of the task that runs the jobs.
    running: AbortHandle,
}

impl Health {
    /// Why the worker is not ready, if it is not.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        if *self.stopping.borrow() {
            return Some("the worker is shutting down".to_owned());
        }
        if self.running.is_finished() {
            return Some("nothing runs the jobs any more".to_owned());
        }
        let last = Timestamp::from_unix_ms(self.last_claim_ms.load(Ordering::Acquire));
        let silent = self.clock.now().since(last);
        (silent > STALE_AFTER).then(|| format!("no successful claim for {} s", silent.as_secs()))
    }
}

/// A running worker.
pub struct WorkerHandle {
    health: Health,
    stop: watch::Sender<bool>,
    pool_stop: watch::Sender<bool>,
    renewal_stop: watch::Sender<bool>,
    leases: Arc<Leases>,
    running: JoinHandle<()>,
    dispatching: JoinHandle<()>,
    writing: JoinHandle<()>,
    services: Vec<AbortHandle>,
    presence: Presence,
}

impl WorkerHandle {
    /// For readiness checks.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Stops claiming, lets running jobs end within `grace` of real time, gives the rest back at once, and returns when
    /// all results are written.
    pub async fn shutdown(mut self, grace: Duration) {
        self.stop.send_replace(true);
        let _ = (&mut self.dispatching).await;
        // Nothing more is sent to the workers.
        self.pool_stop.send_replace(true);
        if tokio::time::timeout(grace, &mut self.running).await.is_err() {
            tracing::warn!(jobs = self.leases.running(), "the grace time is over; running jobs are given back");
            // Armed to end the process here, not to fail.
            let _ = failpoint::hit("shutdown.grace_over").await;
            self.leases.give_all_back();
            let _ = (&mut self.running).await;
        }
        // The last runs hand in their ends; the writer ends after them.
        if tokio::time::timeout(grace.max(Duration::from_secs(5)), &mut self.writing).await.is_err() {
            tracing::error!(
                jobs = self.leases.count(),
                "results could not be written before the end; leases will run out"
            );
            self.writing.abort();
        }
        self.services.iter().for_each(AbortHandle::abort);
        self.renewal_stop.send_replace(true);
        if let Err(error) = self.presence.leave().await {
            tracing::debug!(%error, "the worker's row could not be removed");
        }
    }
}

impl Drop for WorkerHandle {
    fn drop(&mut self) {
        self.dispatching.abort();
        self.running.abort();
        self.writing.abort();
        self.services.iter().for_each(AbortHandle::abort);
        self.renewal_stop.send_replace(true);
    }
}
