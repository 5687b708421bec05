//! Executes one automation run: from "due" to a stored text, which `sms.send` then sends.
//!
//! A run is executed in one transaction, so it has either no text or one. The text is posted to the run's thread by the
//! same operation as a user's text, under the same rules. A run without a thread falls back to the front desk, which
//! the audit log records. A text about a booking is written under the booking's lock, so that it states the
//! booking's current time.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::automation::zone_named;
use super::runs::{self, AutomationRun, AutomationRunStatus};
use super::stated::{self, Stated};
use super::template::{self, Variables};
use super::told;
use super::untrue::untrue;
use super::{AutomationType, Recipient, load, quiet_hours_of};
use crate::Result;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::bookings::{self, Booking, Status};
use crate::ids::{AutomationRunId, MessageId, ThreadId};
use crate::messaging::disturbance;
use crate::messaging::masking;
use crate::messaging::numbers::{self, Number};
use crate::messaging::opt_outs;
use crate::messaging::post::{Blocked, Posted, post_for_run};
use crate::messaging::threads;
use crate::phone::PhoneNumber;

#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "enqueue what follows: `sms.send`, another `automation.run` later, or `thread.assign_number`"]
pub enum Executed {
    /// The text is stored. `sms.send` must follow; a second job for the same text is harmless.
    Written {
        message_id: MessageId,
        thread_id: ThreadId,
        /// Whether this is the thread that the run belongs to.
        used_thread: bool,
    },
    /// The run is not due yet and must be executed again at this time.
    Hold { until: Timestamp },
    /// There is no number to send the text from. An exception was raised, and the run continues once there is a number.
    Blocked {
        /// The thread without a number, for which `thread.assign_number` must follow. `None` if the organisation has no
        /// front desk number.
        thread: Option<ThreadId>,
    },
    /// The run has ended, now or earlier.
    Ended(AutomationRunStatus),
}

/// Executes a run. A run that has ended or has written its text stays unchanged.
///
/// # Errors
/// [`Error::NotFound`](crate::Error::NotFound) if there is no such run.
pub async fn execute(tx: &mut Tx, id: &AutomationRunId, by: &Actor, now: Timestamp) -> Result<Executed> {
    let (run, booking) = lock_with_thread(tx, id).await?;
    if !matches!(run.status, AutomationRunStatus::Pending | AutomationRunStatus::Blocked) {
        return Ok(Executed::Ended(run.status));
    }
    if let (Some(message_id), Some(thread_id)) = (run.message_event_id.clone(), run.thread_id.clone()) {
        return Ok(Executed::Written { message_id, thread_id, used_thread: run.used_thread });
    }
    let Some(automation) = load(tx, &run.org_id, run.kind).await?.filter(|automation| automation.enabled) else {
        return skip(tx, &run, "disabled", by, now).await;
    };
    if let Some(person) = recipient(tx, &run).await?
        && opt_outs::is_opted_out(tx, &run.org_id, &person).await?
    {
        return skip(tx, &run, Blocked::OptedOut.code(), by, now).await;
    }
    if let Some(until) = run.scheduled_for.filter(|at| *at > now) {
        return Ok(Executed::Hold { until });
    }
    if let Some(booking) = &booking
        && let Some(reason) = unwanted(tx, &run, booking, now).await?
    {
        return skip(tx, &run, reason, by, now).await;
    }
    let variables = variables(tx, &run).await?;
    let body = match template::render(&automation.template, &variables) {
        Ok(body) => body,
        Err(error) => return fail(tx, &run, &error.to_string(), by, now).await,
    };
    let may_disturb_until = may_disturb_until(tx, &run, automation.quiet_hours, now).await?;
    if may_disturb_until.is_none()
        && let Some(until) = quiet_hours_of(tx, &run.org_id).await?.and_then(|quiet| quiet.end_after(now))
    {
        runs::set_quiet(tx, &run, until, now).await?;
        return Ok(Executed::Hold { until });
    }
    if !has_recipient(&run) {
        return fail(tx, &run, "no_recipient", by, now).await;
    }
    let Some((thread_id, used_thread)) = destination(tx, &run, by, now).await? else {
        runs::set_blocked(tx, &run, None, now).await?;
        masking::report_no_front_desk(tx, &run.org_id, now).await?;
        return Ok(Executed::Blocked { thread: None });
    };
    if run.status == AutomationRunStatus::Blocked && run.thread_id.is_none() {
        masking::front_desk_found(tx, &run.org_id, now).await?;
    }
    match post_for_run(tx, &thread_id, &run.id, &body, may_disturb_until, by, now).await? {
        Posted::Queued { message_id, .. } => {
            let stated = Stated::by(run.kind, booking.as_ref());
            let text = runs::WrittenText { thread: &thread_id, message: &message_id, body: &body, used_thread, stated };
            runs::set_written(tx, &run.id, text, now).await?;
            Ok(Executed::Written { message_id, thread_id, used_thread })
        }
        Posted::Blocked(Blocked::NoNumber) => {
            runs::set_blocked(tx, &run, Some(&thread_id), now).await?;
            masking::report_missing(tx, &thread_id, now).await?;
            Ok(Executed::Blocked { thread: Some(thread_id) })
        }
        Posted::Blocked(blocked) => skip(tx, &run, blocked.code(), by, now).await,
    }
}

/// Locks the run, after its booking and its thread. All code that locks several of these uses this order.
async fn lock_with_thread(tx: &mut Tx, id: &AutomationRunId) -> Result<(AutomationRun, Option<Booking>)> {
    let run = runs::load(tx, id).await?;
    let booking = match &run.booking_id {
        Some(booking) => Some(bookings::lock(tx, booking).await?),
        None => None,
    };
    if let Some(thread) = &run.thread_id {
        threads::lock(tx, thread).await?;
    } else if let (Recipient::Client, Some(booking)) = (run.recipient, &run.booking_id)
        && let Some(thread) = threads::of_booking(tx, booking).await?
    {
        threads::lock(tx, &thread.id).await?;
    }
    Ok((runs::lock(tx, id).await?, booking))
}

/// Returns why the recipient no longer needs this text, or `None` if it is still needed.
async fn unwanted(tx: &mut Tx, run: &AutomationRun, booking: &Booking, now: Timestamp) -> Result<Option<&'static str>> {
    if stated::states_time(run.kind) && booking.status == Status::Cancelled {
        return Ok(Some(stated::CANCELLED));
    }
    if run.kind == AutomationType::BookingReminder && booking.start_at <= now {
        return Ok(Some("booking_started"));
    }
    if told::tells_of_move(run) && told::is_told(tx, booking, &run.id).await? {
        return Ok(Some("already_told"));
    }
    untrue(tx, &run.id, now).await
}

async fn skip(tx: &mut Tx, run: &AutomationRun, reason: &str, by: &Actor, now: Timestamp) -> Result<Executed> {
    runs::set_skipped(tx, &run.id, reason, by, now).await?;
    Ok(Executed::Ended(AutomationRunStatus::Skipped))
}

async fn fail(tx: &mut Tx, run: &AutomationRun, error: &str, by: &Actor, now: Timestamp) -> Result<Executed> {
    runs::set_failed(tx, &run.id, error, by, now).await?;
    Ok(Executed::Ended(AutomationRunStatus::Failed))
}

#[derive(sqlx::FromRow)]
struct Subject {
    timezone: String,
    business: String,
    first_name: Option<String>,
    service: Option<String>,
    start_at: Option<Timestamp>,
}

/// Returns the values for the run's template. Values under `variables` in the run's metadata replace the others.
async fn variables(tx: &mut Tx, run: &AutomationRun) -> Result<Variables> {
    let subject: Subject = tx
        .query(
            "SELECT o.timezone, o.name AS business, c.first_name, b.service, b.start_at
             FROM organizations o
             LEFT JOIN bookings b ON b.id = $2
             LEFT JOIN clients c ON c.id = COALESCE($3, b.client_id)
             WHERE o.id = $1",
        )
        .bind(&run.org_id)
        .bind(&run.booking_id)
        .bind(&run.client_id)
        .one()
        .await?;
    let mut variables = Variables::default()
        .with("business", subject.business)
        .with("firstName", subject.first_name.unwrap_or_else(|| "there".to_owned()));
    if let Some(service) = subject.service {
        variables = variables.with("service", template::readable_service(&service));
    }
    if let Some(start_at) = subject.start_at {
        variables = variables.with_moment(start_at, zone_named(&subject.timezone));
    }
    for name in run.kind.variables() {
        if let Some(value) = run.metadata.0.get("variables").and_then(|given| given.get(*name)?.as_str()) {
            variables = variables.with(name, value);
        }
    }
    Ok(variables)
}

/// Returns until when the run's text may leave during quiet hours; `None` if it may not. `respects` says whether texts of
/// this kind wait at all.
async fn may_disturb_until(
    tx: &mut Tx,
    run: &AutomationRun,
    respects: bool,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    if !respects || disturbance::is_about_an_offer(run.kind, &run.trigger_ref) {
        return Ok(Some(disturbance::regardless(now)));
    }
    match (&run.booking_id, run.recipient) {
        (Some(booking), Recipient::Client) => disturbance::own_act(tx, booking, now).await,
        _ => Ok(None),
    }
}

fn has_recipient(run: &AutomationRun) -> bool {
    run.thread_id.is_some()
        || match run.recipient {
            Recipient::Client | Recipient::Requester => run.client_id.is_some(),
            Recipient::Sitter => run.sitter_id.is_some(),
        }
}

/// Returns the phone number of a run's recipient, if it has one.
async fn recipient(tx: &mut Tx, run: &AutomationRun) -> Result<Option<PhoneNumber>> {
    if let Some(thread) = &run.thread_id {
        return opt_outs::of_thread(tx, thread).await;
    }
    match run.recipient {
        Recipient::Client | Recipient::Requester => opt_outs::of_client(tx, run.client_id.as_ref()).await,
        Recipient::Sitter => opt_outs::of_sitter(tx, run.sitter_id.as_ref()).await,
    }
}

/// Returns the thread for a run's text, and whether the run belongs to it. Returns `None` if there is no number for it.
async fn destination(tx: &mut Tx, run: &AutomationRun, by: &Actor, now: Timestamp) -> Result<Option<(ThreadId, bool)>> {
    if let Some(thread) = &run.thread_id {
        return Ok(Some((thread.clone(), true)));
    }
    match (run.recipient, &run.client_id, &run.sitter_id) {
        (Recipient::Client, Some(client), _) => {
            if let Some(booking) = &run.booking_id
                && let Some(thread) = threads::of_booking(tx, booking).await?
            {
                return Ok(Some((thread.id, true)));
            }
            let Some(front_desk) = numbers::front_desk(tx, &run.org_id).await? else { return Ok(None) };
            let (thread, _) = threads::find_or_create_general(tx, client, &front_desk, now).await?;
            record_fallback(tx, run, &thread.id, &front_desk, by, now).await?;
            Ok(Some((thread.id, false)))
        }
        (Recipient::Requester, Some(client), _) => {
            let Some(front_desk) = numbers::front_desk(tx, &run.org_id).await? else { return Ok(None) };
            let (thread, _) = threads::find_or_create_general(tx, client, &front_desk, now).await?;
            Ok(Some((thread.id, true)))
        }
        (Recipient::Sitter, _, Some(sitter)) => {
            let own = numbers::of_sitter(tx, &run.org_id, sitter).await?;
            let number = match own {
                Some(number) => Some(number),
                None => numbers::front_desk(tx, &run.org_id).await?,
            };
            let Some(number) = number else { return Ok(None) };
            let thread = threads::find_or_create_owner_sitter(tx, sitter, &number, now).await?;
            if thread.message_number_id.as_ref() != Some(&number.id) {
                // The sitter got or lost a number of their own since the last text.
                threads::assign_number(tx, &thread.id, &number, now).await?;
                let facts = json!({
                    "messageNumberId": number.id,
                    "numberClass": number.number_class,
                    "replaced": thread.message_number_id,
                });
                let entry = thread.entry(Event::ThreadNumberAssigned, "success", by).metadata(facts);
                audit::record(tx, entry, now).await?;
            }
            Ok(Some((thread.id, true)))
        }
        _ => Ok(None),
    }
}

async fn record_fallback(
    tx: &mut Tx,
    run: &AutomationRun,
    thread: &ThreadId,
    number: &Number,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let mut entry = crate::audit_entry(Event::AutomationThreadFallback, "warning", by).org(&run.org_id).thread(thread);
    if let Some(booking) = &run.booking_id {
        entry = entry.booking(booking).correlation(booking.as_ref());
    }
    let metadata = json!({
        "automationRunId": run.id,
        "type": run.kind,
        "usedThread": false,
        "fromNumberId": number.id,
        "reason": "the run has no thread",
    });
    audit::record(tx, entry.metadata(metadata), now).await
}
