//! The state that handlers share.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use nightshift_db::{Clock, Db};
use nightshift_domain::calls::Dialing;
use nightshift_queue::{Health, Queue};
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::auth::Failures;
use super::idempotency::Running;
use super::rate_limit::RateLimits;
use super::receiver::{Receiver, Refusals};
use super::stream::Hub;
use crate::config::Settings;

/// The shared state. A clone is cheap.
#[derive(Clone)]
pub struct Web(Arc<Shared>);

pub struct Shared {
    pub settings: Settings,
    /// The base URL under which providers and browsers reach this program, with the actual port.
    pub public_url: String,
    pub db: Db,
    pub queue: Queue,
    pub clock: Clock,
    pub receiver: Receiver,
    /// Counts and logs refused webhooks.
    pub refusals: Refusals,
    /// Records failed sign-ins.
    pub failures: Failures,
    /// Permits for requests that run at the same time.
    pub in_flight: Semaphore,
    /// Permits for requests that wait for the reply to a text.
    pub replies_awaited: Semaphore,
    /// The `Idempotency-Key`s of requests that run in this process.
    pub running: Running,
    pub rates: RateLimits,
    /// Signs session cookies and links.
    pub session_secret: SecretString,
    /// Renders `/metrics`.
    pub metrics: PrometheusHandle,
    /// The state of this process's worker. `None` if it runs none.
    pub worker: Option<Health>,
    /// Decides which numbers calls may reach.
    pub dialing: Dialing,
    /// Passes live updates to open event streams.
    pub hub: Hub,
    /// Cancelled when the process begins to shut down.
    pub closing: CancellationToken,
}

impl Web {
    #[must_use]
    pub fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// Makes `/readyz` report that the process shuts down, and ends open event streams.
    pub fn shut_down(&self) {
        self.0.closing.cancel();
    }
}

impl std::ops::Deref for Web {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}
