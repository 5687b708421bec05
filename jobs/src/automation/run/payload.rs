//! The payload of an `automation.run` job, with its keys, policy and subject.

use std::time::Duration;

use nightshift_domain::ids::AutomationRunId;
use nightshift_queue::{Job, Keys, Policy, Subject};
use serde::{Deserialize, Serialize};

use crate::subject;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunAutomation {
    pub automation_run_id: AutomationRunId,
}

impl RunAutomation {
    /// Returns the once key of a run's job.
    #[must_use]
    pub fn key(run: &AutomationRunId) -> String {
        format!("automation:{run}")
    }
}

impl Job for RunAutomation {
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
