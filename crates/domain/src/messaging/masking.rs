//! The number from which a thread's texts are sent: how a thread gets one, loses it, and what waits for it.
//!
//! A thread without a number in service can't send, so it always has an open exception and a job `thread.assign_number`
//! that looks for a number; its texts, if it has any, wait.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::numbers::{self, NumberClass, NumberStatus, Seeker};
use super::threads::{self, Scope, Thread};
use crate::Result;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::automations::runs::{self, RunsToStart};
use crate::exceptions::{self, ExceptionKind, NewException, Severity};
use crate::ids::{MessageId, NumberId, OrgId, SitterId, ThreadId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedNumber {
    pub number_id: NumberId,
    pub class: NumberClass,
}

/// The result of giving a thread a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NumberGiven {
    /// The thread has this number already, and it is in service.
    Kept(AssignedNumber),
    /// The thread got this number now.
    Assigned(AssignedNumber),
    /// The organisation has no suitable number. An exception is open.
    Missing,
}

impl NumberGiven {
    #[must_use]
    pub fn number(&self) -> Option<&AssignedNumber> {
        match self {
            Self::Kept(number) | Self::Assigned(number) => Some(number),
            Self::Missing => None,
        }
    }
}

/// The result of giving a thread a number, with the jobs to enqueue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "enqueue what follows: the runs and texts that waited, or the search for a number"]
pub struct NumberStep {
    pub thread_id: ThreadId,
    /// If it is `Missing`, `thread.assign_number` must follow.
    pub given: NumberGiven,
    /// Runs that waited for the number, for which `automation.run` must follow.
    pub released: RunsToStart,
    /// Queued texts, whose `sms.send` must run now.
    pub texts: Vec<WaitingText>,
}

/// A stored text that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct WaitingText {
    pub id: MessageId,
    /// How often the text was sent again after an attempt with an unknown outcome.
    pub resends: i64,
}

/// Gives a thread a number in service, unless it has one. `order` fixes the order in which the numbers of the pool are
/// tried, so that the same `order` always gets the same number.
pub async fn give(
    tx: &mut Tx,
    thread: &Thread,
    order: &str,
    sitter: Option<&SitterId>,
    by: &Actor,
    now: Timestamp,
) -> Result<NumberStep> {
    let thread_id = thread.id.clone();
    if let Some(kept) = number_of(tx, thread).await? {
        let (released, texts) = settle(tx, &thread.id, now).await?;
        return Ok(NumberStep { thread_id, given: NumberGiven::Kept(kept), released, texts });
    }
    let seeker = Seeker {
        org: &thread.org_id,
        scope: thread.scope,
        order,
        client: thread.client_id.as_ref(),
        sitter,
        thread: &thread.id,
    };
    let Some((number, reason)) = numbers::choose(tx, seeker).await? else {
        raise_missing(tx, thread, now).await?;
        let (given, released, texts) = (NumberGiven::Missing, RunsToStart::default(), Vec::new());
        return Ok(NumberStep { thread_id, given, released, texts });
    };
    threads::assign_number(tx, &thread.id, &number, now).await?;
    let entry = thread.entry(Event::ThreadNumberAssigned, "success", by).metadata(json!({
        "messageNumberId": number.id,
        "numberClass": number.number_class,
        "reason": reason,
        "replaced": thread.message_number_id,
    }));
    audit::record(tx, entry, now).await?;
    let (released, texts) = settle(tx, &thread.id, now).await?;
    let assigned = AssignedNumber { number_id: number.id, class: number.number_class };
    Ok(NumberStep { thread_id, given: NumberGiven::Assigned(assigned), released, texts })
}

async fn number_of(tx: &mut Tx, thread: &Thread) -> Result<Option<AssignedNumber>> {
    let Some(id) = &thread.message_number_id else { return Ok(None) };
    let number = numbers::load(tx, id).await?.filter(|number| number.status == NumberStatus::Active);
    Ok(number.map(|number| AssignedNumber { number_id: number.id, class: number.number_class }))
}

/// Resolves the exception about the missing number, and returns the runs and texts that waited for it.
async fn settle(tx: &mut Tx, thread: &ThreadId, now: Timestamp) -> Result<(RunsToStart, Vec<WaitingText>)> {
    exceptions::resolve(tx, &fingerprint(thread), "the conversation has a number now", now).await?;
    let texts = tx
        .query(
            "SELECT id, resends FROM message_events
             WHERE thread_id = $1 AND direction = 'outbound' AND status = 'queued' ORDER BY id",
        )
        .bind(thread)
        .all()
        .await?;
    Ok((runs::release_blocked(tx, thread, now).await?, texts))
}

/// Whether a text waits to be written into this thread, or to be sent from it.
pub async fn has_something_to_say(tx: &mut Tx, thread: &ThreadId) -> Result<bool> {
    Ok(tx
        .query(
            "SELECT EXISTS (SELECT 1 FROM message_events
                            WHERE thread_id = $1 AND direction = 'outbound' AND status = 'queued')
                 OR EXISTS (SELECT 1 FROM automation_runs WHERE thread_id = $1 AND status = 'blocked')",
        )
        .bind(thread)
        .scalar()
        .await?)
}

/// Lists the threads of an organisation with an outside participant that are open without a number in service, or that
/// have an unresolved exception about a missing number.
pub async fn waiting_for_number(tx: &mut Tx, org: &OrgId) -> Result<Vec<ThreadId>> {
    let waiting: Vec<(ThreadId,)> = tx
        .query(
            "SELECT t.id FROM message_threads AS t LEFT JOIN message_numbers AS n ON n.id = t.message_number_id
             WHERE t.org_id = $1 AND t.scope <> 'internal'
               AND (t.status = 'open' AND (n.id IS NULL OR n.status <> 'active')
                    OR t.id IN (SELECT thread_id FROM exceptions
                                WHERE org_id = $1 AND type = 'no_number_available' AND status <> 'resolved'
                                  AND thread_id IS NOT NULL))
             ORDER BY t.created_at, t.id",
        )
        .bind(org)
        .all()
        .await?;
    Ok(waiting.into_iter().map(|(id,)| id).collect())
}

/// Raises the exception about a thread without a number in service. `thread.assign_number` must follow.
pub async fn report_missing(tx: &mut Tx, thread: &ThreadId, now: Timestamp) -> Result<()> {
    let thread = threads::lock(tx, thread).await?;
    raise_missing(tx, &thread, now).await
}

async fn raise_missing(tx: &mut Tx, thread: &Thread, now: Timestamp) -> Result<()> {
    let title = match thread.scope {
        Scope::ClientBooking => "A confirmed booking has no number to text from",
        _ => "A conversation has no number to text from",
    };
    let mut problem = NewException::new(ExceptionKind::NoNumberAvailable, Severity::High, fingerprint(&thread.id))
        .title(title)
        .org(&thread.org_id)
        .thread(&thread.id);
    if let Some(booking) = &thread.booking_id {
        problem = problem.booking(booking);
    }
    if let Some(client) = &thread.client_id {
        problem = problem.client(client);
    }
    exceptions::raise(tx, &problem, now).await?;
    Ok(())
}

/// Resolves the exception about a missing number for a thread that no longer needs one.
pub async fn needs_none(tx: &mut Tx, thread: &ThreadId, now: Timestamp) -> Result<()> {
    exceptions::resolve(tx, &fingerprint(thread), "the conversation no longer needs a number", now).await
}

/// Raises an exception because an organisation has no front desk number, which is needed to text somebody with whom it
/// has no thread.
pub async fn report_no_front_desk(tx: &mut Tx, org: &OrgId, now: Timestamp) -> Result<()> {
    let problem = NewException::new(ExceptionKind::NoNumberAvailable, Severity::High, no_front_desk(org))
        .title("A text waits for a front desk number, and there is none")
        .org(org);
    exceptions::raise(tx, &problem, now).await?;
    Ok(())
}

/// Resolves the exception about a missing front desk number.
pub async fn front_desk_found(tx: &mut Tx, org: &OrgId, now: Timestamp) -> Result<()> {
    exceptions::resolve(tx, &no_front_desk(org), "there is a number now", now).await
}

/// The fingerprint of the exception about a missing number. [`promises`](crate::promises) reads it and the one below.
fn fingerprint(thread: &ThreadId) -> String {
    format!("{}:{thread}", ExceptionKind::NoNumberAvailable)
}

fn no_front_desk(org: &OrgId) -> String {
    format!("{}:front_desk:{org}", ExceptionKind::NoNumberAvailable)
}
