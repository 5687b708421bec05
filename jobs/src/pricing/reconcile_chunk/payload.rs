//! The payload of a `pricing.reconcile.chunk` job, with its keys and policy.

use std::time::Duration;

use nightshift_domain::ids::{BookingId, OrgId, ReconciliationRunId};
use nightshift_domain::reconciliation::ReconciliationRun;
use nightshift_queue::{Job, Keys, Policy};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PricingReconcileChunk {
    pub run_id: ReconciliationRunId,
    pub org_id: OrgId,
    /// The run's cursor when the job was created; `None` at the beginning.
    pub after_id: Option<BookingId>,
}

impl PricingReconcileChunk {
    /// Creates the job that continues from the run's cursor.
    pub fn next_of(run: &ReconciliationRun) -> Self {
        Self { run_id: run.id.clone(), org_id: run.org_id.clone(), after_id: run.cursor_booking_id.clone() }
    }
}

impl Job for PricingReconcileChunk {
    const KIND: &'static str = "pricing.reconcile.chunk";
    const QUEUE: &'static str = "reconciliation";
    const PRIORITY: i64 = 8;

    fn keys(&self) -> Keys {
        // The key contains the cursor, because the job that hands the run over is itself still unfinished.
        let after = self.after_id.as_ref().map_or("", BookingId::as_str);
        Keys::dedup(format!("recon.chunk:{}:{after}", self.run_id))
    }

    fn policy() -> Policy {
        Policy::standard(5).timeout(Duration::from_secs(300))
    }
}
