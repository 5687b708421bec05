//! The payload of a `pricing.reconcile` job, with its keys and policy.

use std::time::Duration;

use nightshift_domain::ids::OrgId;
use nightshift_domain::reconciliation::Trigger;
use nightshift_queue::{Job, Keys, Policy};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PricingReconcile {
    pub org_id: OrgId,
    /// The day in the organisation's time zone, `YYYY-MM-DD`.
    pub local_date: String,
    pub trigger_kind: Trigger,
    /// 0 for the scheduled check of a day; checks that users start are counted from 1.
    #[serde(default)]
    pub attempt_no: i64,
    /// Whether the check is late because no scheduler was running.
    #[serde(default)]
    pub missed: bool,
}

impl Job for PricingReconcile {
    const KIND: &'static str = "pricing.reconcile";
    const QUEUE: &'static str = "reconciliation";
    const PRIORITY: i64 = 8;

    fn keys(&self) -> Keys {
        let (org, date) = (&self.org_id, &self.local_date);
        // One scheduled check for each local date, even if the organisation changes its time zone.
        Keys::once(match self.trigger_kind {
            Trigger::Scheduled => format!("recon:{org}:{date}"),
            Trigger::Manual => format!("recon:{org}:{date}:m{}", self.attempt_no),
        })
    }

    fn policy() -> Policy {
        Policy::standard(5).timeout(Duration::from_secs(600))
    }
}
