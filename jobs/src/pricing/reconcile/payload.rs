//! What a `pricing.reconcile` job is stored as: its payload, and with it its keys and its policy.

use std::time::Duration;

use nightshift_domain::ids::OrgId;
use nightshift_domain::reconciliation::Trigger;
use nightshift_queue::{Job, Keys, Policy};
use serde::{Deserialize, Serialize};

/// A check that is due.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PricingReconcile {
    /// Whose bookings.
    pub org_id: OrgId,
    /// The day in the organisation's zone, `YYYY-MM-DD`.
    pub local_date: String,
    /// The clock, or somebody.
    pub trigger_kind: Trigger,
    /// Counts those of a day that somebody asked for; 0 for the clock's.
    #[serde(default)]
    pub attempt_no: i64,
    /// Whether the clock was late, because no scheduler ran.
    #[serde(default)]
    pub missed: bool,
}

impl Job for PricingReconcile {
    const KIND: &'static str = "pricing.reconcile";
    const QUEUE: &'static str = "reconciliation";
    const PRIORITY: i64 = 8;

    fn keys(&self) -> Keys {
        let (org, date) = (&self.org_id, &self.local_date);
        // One by the clock for every local date, also when the organisation changes its zone.
        Keys::once(match self.trigger_kind {
            Trigger::Scheduled => format!("recon:{org}:{date}"),
            Trigger::Manual => format!("recon:{org}:{date}:m{}", self.attempt_no),
        })
    }

    fn policy() -> Policy {
        Policy::standard(5).timeout(Duration::from_secs(600))
    }
}
