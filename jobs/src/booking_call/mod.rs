//! Calls that book appointments: scheduled, placed, and polled until they end.

pub(crate) mod ending;
pub mod poll;
pub mod start;

use nightshift_db::{Timestamp, Tx};
use nightshift_domain::actor::Actor;
use nightshift_domain::calls::{self, Appointment, CallMode, Completed, Ending, NewCall, Scheduled};
use nightshift_domain::ids::CallId;
use nightshift_domain::viewer::Viewer;
use nightshift_queue::Mode;

use crate::automation;
use crate::enqueuer::Enqueuer;
use crate::error::Error;

use poll::BookingCallPoll;
use start::BookingCallStart;

/// Stores a new call with the job that places it. A call that existed before has its job already.
///
/// # Errors
/// As [`calls::schedule`], or an error of the queue.
pub async fn schedule(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    viewer: &Viewer,
    new_call: NewCall,
    mode: CallMode,
    by: &Actor,
) -> Result<Scheduled, Error> {
    let scheduled = calls::schedule(tx, viewer, new_call, mode, by, enqueuer.now()).await?;
    if scheduled.created {
        let job = BookingCallStart {
            booking_call_id: scheduled.call_id.clone(),
            service_request_id: scheduled.request_id.clone(),
        };
        let new = enqueuer.new_job(&job)?.org(scheduled.org_id.as_str()).correlation(scheduled.request_id.as_str());
        enqueuer.enqueue(tx, new.mode(mode_of(scheduled.mode))).await?;
    }
    Ok(scheduled)
}

/// Records that VAPI has placed a call, which is polled from `at` on. A call that has ended in the meantime stays
/// ended.
pub(crate) async fn record_placed(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    call: &CallId,
    mode: CallMode,
    vapi_call_id: &str,
    by: &Actor,
    at: Timestamp,
) -> Result<(), Error> {
    if calls::started(tx, call, vapi_call_id, by, enqueuer.now()).await? {
        let new = enqueuer.new_job(&BookingCallPoll { booking_call_id: call.clone() })?.run_at(at).priority(3);
        enqueuer.enqueue(tx, new.mode(mode_of(mode))).await?;
    }
    Ok(())
}

/// Ends a call after `polls` polls and enqueues the texts to the person. Returns false if the call had ended before;
/// its first ending stays.
pub(crate) async fn finish(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    call: &CallId,
    ending: &Ending,
    polls: Option<i64>,
    by: &Actor,
) -> Result<bool, Error> {
    match calls::complete(tx, call, ending, polls, by, enqueuer.now()).await? {
        Completed::Now { run } => {
            if let Some(run) = run {
                automation::start(enqueuer, tx, &run).await?;
            }
            Ok(true)
        }
        Completed::Before(_) => Ok(false),
    }
}

/// Ends a call that is no longer wanted.
///
/// # Errors
/// As [`calls::complete`], or an error of the queue.
pub async fn cancel(enqueuer: &Enqueuer<'_>, tx: &mut Tx, call: &CallId, by: &Actor) -> Result<(), Error> {
    finish(enqueuer, tx, call, &Ending::Cancelled, None, by).await.map(|_| ())
}

/// Enqueues the text about an appointment that could not be stored.
pub(crate) async fn notify_despite_failure(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    call: &CallId,
    made: &Appointment,
    by: &Actor,
) -> Result<(), Error> {
    for run in calls::notify_despite_failure(tx, call, made, by, enqueuer.now()).await? {
        automation::start(enqueuer, tx, &run).await?;
    }
    Ok(())
}

/// Makes the job that polls a call due now.
pub(crate) async fn poll_now(enqueuer: &Enqueuer<'_>, tx: &mut Tx, call: &CallId) -> Result<(), Error> {
    Ok(enqueuer.run_now_by_dedup_key(tx, &BookingCallPoll::key(call)).await?)
}

/// Returns whether the effects of a call are real.
fn mode_of(call: CallMode) -> Mode {
    match call {
        CallMode::Simulated => Mode::Simulated,
        CallMode::Test => Mode::Test,
        CallMode::Production => Mode::Live,
    }
}
