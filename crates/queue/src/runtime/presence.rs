//! The row by which people see that this worker lives. Nothing is decided by it.

use std::sync::Arc;

use nightshift_db::{Clock, Db, Timestamp};

use crate::leases::table::Leases;
use crate::store::workers::{self, HEARTBEAT_EVERY};

/// Writes the row again and again, and removes it at the end.
#[derive(Clone)]
pub(crate) struct Presence {
    pub db: Db,
    pub clock: Clock,
    pub id: String,
    pub queues: Vec<String>,
    pub leases: Arc<Leases>,
}

impl Presence {
    pub(crate) async fn keep(self) -> nightshift_db::Result<()> {
        let started_at = self.clock.now();
        loop {
            if let Err(error) = self.beat(started_at).await {
                tracing::debug!(%error, "the worker's heartbeat could not be written");
            }
            self.clock.sleep(HEARTBEAT_EVERY).await;
        }
    }

    async fn beat(&self, started_at: Timestamp) -> nightshift_db::Result<()> {
        let beat = workers::Beat {
            id: &self.id,
            hostname: &hostname(),
            queues: &self.queues,
            running: self.leases.count(),
            started_at,
            now: self.clock.now(),
        };
        workers::beat(&self.db, beat).await
    }

    pub(crate) async fn leave(&self) -> nightshift_db::Result<()> {
        workers::remove(&self.db, &self.id).await
    }
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .unwrap_or_else(|| "unknown".to_owned())
}
