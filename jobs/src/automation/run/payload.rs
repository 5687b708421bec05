//! What an `automation.run` job is stored as: its payload, and with it its keys, its policy and what it is about.

use std::time::Duration;

use nightshift_domain::ids::AutomationRunId;
use nightshift_queue::{Job, Keys, Policy, Subject};
use serde::{Deserialize, Serialize};

use crate::subject;

/// A row of the ledger.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomationRun {
    /// The row.
    pub automation_run_id: AutomationRunId,
}

impl AutomationRun {
    /// Names the one job that a run has.
    #[must_use]
    pub fn key(run: &AutomationRunId) -> String {
        format!("automation:{run}")
    }

    /// Names the successor of a job of the run's that has ended.
    pub(crate) fn key_after(run: &AutomationRunId, ended: &str) -> String {
        format!("{}:after:{ended}", Self::key(run))
    }
}

impl Job for AutomationRun {
    const KIND: &'static str = "automation.run";
    const QUEUE: &'static str = "sms";

    fn keys(&self) -> Keys {
        Keys::once(Self::key(&self.automation_run_id))
    }

    fn subject(&self) -> Option<Subject> {
        subject::automation(&self.automation_run_id)
    }

    fn policy() -> Policy {
        Policy::standard(5).timeout(Duration::from_secs(30))
    }
}
