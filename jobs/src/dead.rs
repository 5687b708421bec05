//! What happens when a job ends without success, in the transaction that ends it: it is on record, and in front of
//! people unless one of them ended it. And what happens when a person starts such a job anew.

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::audit::{self, Entry, Event};
use nightshift_domain::exceptions::{self, ExceptionKind, Problem, Severity};
use nightshift_domain::ids::OrgId;
use nightshift_domain::stream;
use nightshift_queue::{DeadJob, ErrorClass, Following, JobError, RetriedJob, Revival};
use serde_json::json;

use crate::decide::OrDecide;
use crate::subject;

/// For every kind: audit log, exception, live update.
///
/// Who cancels a job knows of it and is on record already. People are told all the same if the job can't be read: what it
/// was about was then not ended with it.
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
        stream::append(tx, org.as_ref(), "jobs", "job.changed", &data, dead.at).await.or_decide()
    })
}

/// One exception for all such jobs of a kind and an organisation: somebody may cancel a hundred at once. It belongs to
/// none of them, so that the retry of one does not settle it for the others.
async fn cancelled_unread(tx: &mut Tx, dead: &DeadJob, org: Option<&OrgId>) -> Result<(), JobError> {
    let info = &dead.info;
    let fingerprint = format!("job:{}:cancelled_unread:{}", info.kind, org.map_or("", OrgId::as_str));
    let title = format!("A cancelled {} job could not be read; its subject was not updated", info.kind);
    let mut problem = Problem::new(ExceptionKind::JobDead, severity(&info.kind), fingerprint)
        .title(&title)
        .detail(json!({"jobId": info.id, "kind": info.kind, "queue": info.queue, "unreadable": true}));
    if let Some(org) = org {
        problem = problem.org(org);
    }
    exceptions::raise(tx, &problem, dead.at).await.or_decide()?;
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
        // The reason may quote a word of the payload, and nothing is ever removed from the audit log.
        facts["unreadable"] = true.into();
    }
    let mut entry = Entry::new(Event::JobDead, "failed", &by).job(&info.id).metadata(facts.clone());
    // Two dead jobs about the same thing are one exception.
    let about = dead.subject.as_ref().map_or(info.id.as_str(), |subject| &subject.id);
    let fingerprint = format!("job:{}:{}:{about}", info.kind, dead.class);
    let mut problem = Problem::new(ExceptionKind::JobDead, severity(&info.kind), fingerprint)
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
    audit::record(tx, entry, dead.at).await.or_decide()?;
    exceptions::raise(tx, &problem, dead.at).await.or_decide()?;
    Ok(())
}

/// For every kind: what people were told of its end is settled.
pub(crate) fn any_retried<'a>(tx: &'a mut Tx, retried: &'a RetriedJob) -> Following<'a, Revival> {
    Box::pin(async move {
        let note = "a person retried the job";
        exceptions::resolve_of_job(tx, ExceptionKind::JobDead, &retried.id, note, retried.at).await.or_decide()?;
        Ok(Revival::Ready)
    })
}

/// Given-up webhooks and bookings are money and clients; housekeeping can wait until the morning.
fn severity(kind: &str) -> Severity {
    if kind.starts_with("retention.") { Severity::Low } else { Severity::High }
}
