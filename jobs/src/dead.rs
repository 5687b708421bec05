//! Hooks for every kind of job. When a job ends without success, the same transaction writes an audit entry and raises
//! an exception, unless an operator ended the job. When an operator retries the job, the exception is resolved.

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::audit::{self, Entry, Event};
use nightshift_domain::exceptions::{self, ExceptionKind, NewException, Severity};
use nightshift_domain::ids::OrgId;
use nightshift_domain::stream;
use nightshift_queue::{DeadJob, ErrorClass, Following, JobError, RetriedJob, Revival};
use serde_json::json;

use crate::job_error::OrJobError;
use crate::subject;

/// Writes the audit entry, the exception and the live update of a job of any kind that ended without success.
///
/// A cancelled job needs no exception, because the operator knows and the cancellation is in the audit log. It gets one
/// nevertheless if its payload can't be read, because then what the job was about was not ended with it.
pub(crate) fn any<'a>(tx: &'a mut Tx, dead: &'a DeadJob) -> Following<'a, ()> {
    Box::pin(async move {
        let org = dead.info.org_id.as_deref().map(OrgId::from);
        let state = match (dead.class, &dead.unreadable) {
            (ErrorClass::Cancelled, None) => "cancelled",
            (ErrorClass::Cancelled, Some(_)) => {
                cancelled_unread(tx, dead, org.as_ref()).await?;
                "cancelled"
            }
            _ => {
                given_up(tx, dead, org.as_ref()).await?;
                "dead"
            }
        };
        let data = json!({"jobId": dead.info.id, "kind": dead.info.kind, "state": state});
        stream::append(tx, org.as_ref(), "jobs", "job.changed", &data, dead.at).await.or_job_error()
    })
}

/// Raises one exception for all unreadable cancelled jobs of a kind and an organisation, since an operator may cancel a
/// hundred at once. The exception names no job, so that the retry of one job does not resolve it for the others.
async fn cancelled_unread(tx: &mut Tx, dead: &DeadJob, org: Option<&OrgId>) -> Result<(), JobError> {
    let info = &dead.info;
    let fingerprint = format!("job:{}:cancelled_unread:{}", info.kind, org.map_or("", OrgId::as_str));
    let title = format!("A cancelled {} job could not be read; its subject was not updated", info.kind);
    let mut problem = NewException::new(ExceptionKind::JobDead, severity(&info.kind), fingerprint)
        .title(&title)
        .detail(json!({"jobId": info.id, "kind": info.kind, "queue": info.queue, "unreadable": true}));
    if let Some(org) = org {
        problem = problem.org(org);
    }
    exceptions::raise(tx, &problem, dead.at).await.or_job_error()?;
    Ok(())
}

async fn given_up(tx: &mut Tx, dead: &DeadJob, org: Option<&OrgId>) -> Result<(), JobError> {
    let info = &dead.info;
    let by = Actor::system(info.id.as_str());
    let mut facts = json!({
        "jobId": info.id, "kind": info.kind, "queue": info.queue, "attempts": info.attempt,
        "errorClass": dead.class, "error": dead.error,
    });
    if dead.unreadable.is_some() {
        // The reason may quote the payload, and nothing is ever deleted from the audit log.
        facts["unreadable"] = true.into();
    }
    let mut entry = Entry::new(Event::JobDead, "failed", &by).job(&info.id).metadata(facts.clone());
    // Two dead jobs about the same subject share one exception.
    let about = dead.subject.as_ref().map_or(info.id.as_str(), |subject| &subject.id);
    let fingerprint = format!("job:{}:{}:{about}", info.kind, dead.class);
    let mut problem = NewException::new(ExceptionKind::JobDead, severity(&info.kind), fingerprint)
        .title(&format!("A {} job is dead", info.kind))
        .detail(facts)
        .job(&info.id);
    if let Some(correlation) = &info.correlation_id {
        entry = entry.correlation(correlation);
    }
    if let Some(org) = org {
        (entry, problem) = (entry.org(org), problem.org(org));
    }
    if let Some(booking) = dead.subject.as_ref().and_then(subject::as_booking) {
        (entry, problem) = (entry.booking(&booking), problem.booking(&booking));
    }
    if let Some(inbox) = dead.subject.as_ref().and_then(subject::as_delivery) {
        (entry, problem) = (entry.inbox(&inbox), problem.inbox(&inbox));
    }
    audit::record(tx, entry, dead.at).await.or_job_error()?;
    exceptions::raise(tx, &problem, dead.at).await.or_job_error()?;
    Ok(())
}

/// Resolves the exception about the end of a job of any kind.
pub(crate) fn any_retried<'a>(tx: &'a mut Tx, retried: &'a RetriedJob) -> Following<'a, Revival> {
    Box::pin(async move {
        let note = "a person retried the job";
        exceptions::resolve_of_job(tx, ExceptionKind::JobDead, &retried.id, note, retried.at).await.or_job_error()?;
        Ok(Revival::Ready)
    })
}

/// Failed webhooks and bookings affect money and clients; housekeeping and figures can wait until the morning.
fn severity(kind: &str) -> Severity {
    const CAN_WAIT: [&str; 3] = ["retention.", "metrics.", "response_links."];
    if CAN_WAIT.iter().any(|area| kind.starts_with(area)) { Severity::Low } else { Severity::High }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_housekeeping_can_wait_and_nothing_else() {
        for kind in crate::registry().names() {
            let area = kind.split('.').next().unwrap_or(kind);
            let waits = matches!(area, "metrics" | "response_links" | "retention");
            assert_eq!(severity(kind) == Severity::Low, waits, "{kind}");
        }
    }
}
