//! What handlers share.

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

/// Handed to every handler; a clone is cheap.
#[derive(Clone)]
pub struct Web(Arc<Shared>);

/// What is in it.
pub struct Shared {
    /// What the operator chose.
    pub settings: Settings,
    /// The address under which providers reach this program, with the real port.
    pub public_url: String,
    /// The database.
    pub db: Db,
    /// The queue.
    pub queue: Queue,
    /// What time it is.
    pub clock: Clock,
    /// Stores webhooks.
    pub receiver: Receiver,
    /// Webhooks refused lately.
    pub refusals: Refusals,
    /// Sign-ins that failed lately.
    pub failures: Failures,
    /// Places for requests that are worked on at the same time.
    pub in_flight: Semaphore,
    /// Requests with an `Idempotency-Key` that this process runs.
    pub running: Running,
    /// Requests per caller.
    pub rates: RateLimits,
    /// Signs session cookies and links.
    pub session_secret: SecretString,
    /// Renders `/metrics`.
    pub metrics: PrometheusHandle,
    /// The state of this process's worker, when it runs one.
    pub worker: Option<Health>,
    /// Whom calls reach.
    pub dialing: Dialing,
    /// Hands live updates to those who watch.
    pub hub: Hub,
    /// Cancelled once the process is on its way out.
    pub closing: CancellationToken,
}

impl Web {
    /// Shares `shared`.
    #[must_use]
    pub fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// From now on `/readyz` tells load balancers to go elsewhere, and those who watch are sent away.
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
