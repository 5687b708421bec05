//! What a `pricing.reconcile.chunk` job is stored as: its payload, and with it its keys and its policy.

use std::time::Duration;

use nightshift_domain::ids::{BookingId, OrgId, ReconciliationRunId};
use nightshift_domain::reconciliation::ReconciliationRun;
use nightshift_queue::{Job, Keys, Policy};
use serde::{Deserialize, Serialize};

/// A stretch of a run.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PricingReconcileChunk {
    /// The run.
    pub run_id: ReconciliationRunId,
    /// Whose bookings.
    pub org_id: OrgId,
    /// The last booking that was done when the job was made.
    pub after_id: Option<BookingId>,
}

impl PricingReconcileChunk {
    /// The stretch that begins where the run stands.
    pub fn next_of(run: &ReconciliationRun) -> Self {
        Self { run_id: run.id.clone(), org_id: run.org_id.clone(), after_id: run.cursor_booking_id.clone() }
    }
}

impl Job for PricingReconcileChunk {
    const KIND: &'static str = "pricing.reconcile.chunk";
    const QUEUE: &'static str = "reconciliation";
    const PRIORITY: i64 = 8;

    fn keys(&self) -> Keys {
        // With the place: a job that hands the run over is itself not done yet.
        let after = self.after_id.as_ref().map_or("", BookingId::as_str);
        Keys::dedup(format!("recon.chunk:{}:{after}", self.run_id))
    }

    fn policy() -> Policy {
        Policy::standard(5).timeout(Duration::from_secs(300))
    }
}
