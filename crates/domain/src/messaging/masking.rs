//! The number a conversation's texts leave from: how it gets one, loses it, and what waits for it meanwhile.
//!
//! A conversation without a number in service is silent, so it is never left alone: an exception is open for people,
//! `thread.assign_number` looks for a number, and what it has to say waits.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::numbers::{self, NumberClass, NumberStatus, Seeker};
use super::threads::{self, Scope, Thread};
use crate::Result;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::automations::ledger::{self, RunsToStart};
use crate::exceptions::{self, ExceptionKind, Problem, Severity};
use crate::ids::{MessageId, NumberId, OrgId, SitterId, ThreadId};

/// A thread's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedNumber {
    /// The number.
    pub number_id: NumberId,
    /// What it is for.
    pub class: NumberClass,
}

/// What came of looking for a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NumberGiven {
    /// The thread has it already and it is in service.
    Kept(AssignedNumber),
    /// The thread got it now.
    Assigned(AssignedNumber),
    /// The organisation has none that fits; an exception for people is open.
    Missing,
}

impl NumberGiven {
    /// The number, if there is one.
    #[must_use]
    pub fn number(&self) -> Option<&AssignedNumber> {
        match self {
            Self::Kept(number) | Self::Assigned(number) => Some(number),
            Self::Missing => None,
        }
    }
}

/// What looking for a thread's number did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "enqueue what follows: the runs and texts that waited, or the search for a number"]
pub struct NumberStep {
    /// The thread.
    pub thread_id: ThreadId,
    /// What came of it; when it is missing, `thread.assign_number` must follow.
    pub given: NumberGiven,
    /// Runs that waited for the number, for which `automation.run` must follow.
    pub released: RunsToStart,
    /// Texts that wait to leave, whose `sms.send` is to run now.
    pub texts: Vec<WaitingText>,
}

/// A stored text that waits to leave.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct WaitingText {
    /// The text.
    pub id: MessageId,
    /// How often it was sent again after an unclear attempt.
    pub resends: i64,
}

/// Gives a thread a number in service, unless it has one. `order` fixes the order in which the pool's numbers are
/// tried: the same thing always gets the same one.
///
/// # Errors
/// When the database refuses.
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

/// The thread's number, if it is in service.
async fn number_of(tx: &mut Tx, thread: &Thread) -> Result<Option<AssignedNumber>> {
    let Some(id) = &thread.message_number_id else { return Ok(None) };
    let number = numbers::load(tx, id).await?.filter(|number| number.status == NumberStatus::Active);
    Ok(number.map(|number| AssignedNumber { number_id: number.id, class: number.number_class }))
}

/// The thread has its number: nobody needs to look after it, and what waited for it goes on.
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
    Ok((ledger::release_blocked(tx, thread, now).await?, texts))
}

/// Whether a text waits to be written into this thread, or to leave from it.
///
/// # Errors
/// When the database can't be read.
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

/// The conversations of an organisation with somebody outside that have no number in service, or are still said to have
/// none: the open ones, and those in which something waits to be said.
///
/// # Errors
/// When the database can't be read.
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

/// Puts before people that a thread has no number in service. `thread.assign_number` must follow.
///
/// # Errors
/// When the database refuses.
pub async fn report_missing(tx: &mut Tx, thread: &ThreadId, now: Timestamp) -> Result<()> {
    let thread = threads::lock(tx, thread).await?;
    raise_missing(tx, &thread, now).await
}

async fn raise_missing(tx: &mut Tx, thread: &Thread, now: Timestamp) -> Result<()> {
    let title = match thread.scope {
        Scope::ClientBooking => "A confirmed booking has no number to text from",
        _ => "A conversation has no number to text from",
    };
    let mut problem = Problem::new(ExceptionKind::NoNumberAvailable, Severity::High, fingerprint(&thread.id))
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

/// A thread that needs no number any more needs nobody's attention.
///
/// # Errors
/// When the database refuses.
pub async fn needs_none(tx: &mut Tx, thread: &ThreadId, now: Timestamp) -> Result<()> {
    exceptions::resolve(tx, &fingerprint(thread), "the conversation no longer needs a number", now).await
}

/// Puts before people that an organisation has no main line to tell somebody from with whom it has no conversation.
///
/// # Errors
/// When the database refuses.
pub async fn report_no_front_desk(tx: &mut Tx, org: &OrgId, now: Timestamp) -> Result<()> {
    let problem = Problem::new(ExceptionKind::NoNumberAvailable, Severity::High, no_front_desk(org))
        .title("A text waits for a front desk number, and there is none")
        .org(org);
    exceptions::raise(tx, &problem, now).await?;
    Ok(())
}

/// An organisation has a main line again.
///
/// # Errors
/// When the database refuses.
pub async fn front_desk_found(tx: &mut Tx, org: &OrgId, now: Timestamp) -> Result<()> {
    exceptions::resolve(tx, &no_front_desk(org), "there is a number now", now).await
}

/// The fingerprint of a conversation without a number. [`promises`](crate::promises) reads it, and the one below.
fn fingerprint(thread: &ThreadId) -> String {
    format!("{}:{thread}", ExceptionKind::NoNumberAvailable)
}

fn no_front_desk(org: &OrgId) -> String {
    format!("{}:front_desk:{org}", ExceptionKind::NoNumberAvailable)
}
