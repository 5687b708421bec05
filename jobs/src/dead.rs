//! What happens when a job ends without success, in the transaction that ends it: it is on record, and in front of
//! people unless one of them ended it. And what happens when a person starts such a job anew.

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::audit::{self, Entry, Event};
use nightshift_domain::exceptions::{self, ExceptionKind, Problem, Severity};
use nightshift_domain::ids::{BookingId, InboxId, OrgId};
use nightshift_domain::inbox::{self, InboxStatus};
use nightshift_domain::stream;
use nightshift_queue::{DeadJob, ErrorClass, Following, RetriedJob, Revival};
use serde_json::{Value, json};

use crate::decide::OrDecide;

/// For every kind: audit log, exception, live update. Who cancels a job knows of it and is on record already.
pub(crate) fn any<'a>(tx: &'a mut Tx, dead: &'a DeadJob) -> Following<'a, ()> {
    Box::pin(async move {
        let info = &dead.info;
        let org = info.org_id.as_deref().map(OrgId::from);
        if dead.class == ErrorClass::Cancelled {
            let data = json!({"jobId": info.id, "kind": info.kind, "state": "cancelled"});
            return stream::append(tx, org.as_ref(), "jobs", "job.changed", &data, dead.at).await.or_decide();
        }
        let by = Actor::system(info.id.as_str());
        let facts = json!({
            "jobId": info.id, "kind": info.kind, "queue": info.queue, "attempts": info.attempt,
            "errorClass": dead.class, "error": dead.error,
        });
        let now = dead.at;
        let mut entry = Entry::new(Event::JobDead, "failed", &by).job(&info.id).metadata(facts.clone());
        let fingerprint = format!("job:{}:{}:{}", info.kind, dead.class, subject(dead));
        let mut problem = Problem::new(ExceptionKind::JobDead, severity(&info.kind), fingerprint)
            .title(&format!("A {} job was given up", info.kind))
            .detail(facts.clone())
            .job(&info.id);
        if let Some(correlation) = &info.correlation_id {
            entry = entry.correlation(correlation);
        }
        if let Some(org) = &org {
            (entry, problem) = (entry.org(org), problem.org(org));
        }
        if let Some(booking) = text(&dead.payload, "bookingId").map(BookingId::from) {
            (entry, problem) = (entry.booking(&booking), problem.booking(&booking));
        }
        if let Some(inbox) = text(&dead.payload, "inboxId").map(InboxId::from) {
            (entry, problem) = (entry.inbox(&inbox), problem.inbox(&inbox));
        }
        audit::record(tx, entry, now).await.or_decide()?;
        exceptions::raise(tx, &problem, now).await.or_decide()?;
        let data = json!({"jobId": info.id, "kind": info.kind, "state": "dead"});
        stream::append(tx, org.as_ref(), "jobs", "job.changed", &data, now).await.or_decide()
    })
}

/// For every kind: what people were told of its end is settled.
pub(crate) fn any_retried<'a>(tx: &'a mut Tx, retried: &'a RetriedJob) -> Following<'a, Revival> {
    Box::pin(async move {
        let note = "a person started the job anew";
        exceptions::resolve_of_job(tx, ExceptionKind::JobDead, &retried.id, note, retried.at).await.or_decide()?;
        Ok(Revival::Ready)
    })
}

/// For webhooks: the inbox says that this one was given up.
pub(crate) fn webhook<'a>(tx: &'a mut Tx, dead: &'a DeadJob) -> Following<'a, ()> {
    Box::pin(async move {
        let Some(inbox) = text(&dead.payload, "inboxId").map(InboxId::from) else { return Ok(()) };
        inbox::settle(tx, &inbox, InboxStatus::Failed, None, &dead.info.id, dead.at).await.or_decide()
    })
}

/// For webhooks: this one is to be acted on after all, as long as its body is kept.
pub(crate) fn webhook_retried<'a>(tx: &'a mut Tx, retried: &'a RetriedJob) -> Following<'a, Revival> {
    Box::pin(async move {
        let Some(inbox) = text(&retried.payload, "inboxId").map(InboxId::from) else {
            return Ok(Revival::Pointless("it names no delivery".to_owned()));
        };
        let reopened = inbox::reopen(tx, &inbox, retried.at).await.or_decide()?;
        Ok(if reopened {
            Revival::Ready
        } else {
            Revival::Pointless("the delivery is settled, or its body is no longer kept".to_owned())
        })
    })
}

/// What the job was about: the first id of its payload. Two dead jobs about the same thing are one exception.
fn subject(dead: &DeadJob) -> &str {
    const IDS: [&str; 7] =
        ["bookingId", "bookingCallId", "messageEventId", "automationRunId", "threadId", "inboxId", "historyId"];
    IDS.iter().find_map(|id| text(&dead.payload, id)).unwrap_or(&dead.info.id)
}

/// Given-up webhooks and bookings are money and clients; housekeeping can wait until the morning.
fn severity(kind: &str) -> Severity {
    if kind.starts_with("retention.") { Severity::Low } else { Severity::High }
}

/// A text of a payload. Hooks read it leniently: a job may have died because the rest can't be read.
pub(crate) fn text<'a>(payload: &'a Value, field: &str) -> Option<&'a str> {
    payload.get(field).and_then(Value::as_str)
}
