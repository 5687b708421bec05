//! Threads and their numbers: a thread without a number in service looks for one, and continues when it has one.

pub mod assign_number;
pub mod close;

use std::time::Duration;

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::automations::runs;
use nightshift_domain::confirmation::CloseThread;
use nightshift_domain::ids::{NumberId, OrgId, ThreadId};
use nightshift_domain::messaging::handover;
use nightshift_domain::messaging::masking::{self, NumberGiven, NumberStep};
use nightshift_domain::messaging::numbers::{self, NewNumber, Number, NumberPatch};

use crate::enqueuer::Enqueuer;
use crate::error::Error;
use crate::{automation, sms};

use assign_number::ThreadAssignNumber;
use close::ThreadClose;

/// The longest time between two polls of something that waits for a number.
const LOOK_AGAIN: Duration = Duration::from_secs(600);

/// Takes a number into service. Everything that waits for a number tries again at once.
///
/// # Errors
/// As [`numbers::add`], or an error of the queue.
pub async fn add_number(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    org: &OrgId,
    new: &NewNumber,
    by: &Actor,
) -> Result<Number, Error> {
    let number = numbers::add(tx, org, new, by, enqueuer.now()).await?;
    find_numbers(enqueuer, tx, org).await?;
    Ok(number)
}

/// Changes a number. The threads of a number that goes out of service get another, and the general conversations on one
/// that becomes another sitter's own go with it.
///
/// # Errors
/// As [`numbers::patch`], or an error of the queue.
pub async fn change_number(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    org: &OrgId,
    id: &NumberId,
    patch: &NumberPatch,
    by: &Actor,
) -> Result<Number, Error> {
    let before = numbers::load(tx, id).await?;
    let number = numbers::patch(tx, org, id, patch, by, enqueuer.now()).await?;
    if let Some(before) = before {
        handover::number_moved(tx, &before, &number, by, enqueuer.now()).await?;
    }
    find_numbers(enqueuer, tx, org).await?;
    Ok(number)
}

/// Makes every thread and run of an organisation that waits for a number try again at once instead of within ten
/// minutes, because the organisation's numbers have changed.
///
/// # Errors
/// An error of a rule or of the queue.
pub async fn find_numbers(enqueuer: &Enqueuer<'_>, tx: &mut Tx, org: &OrgId) -> Result<(), Error> {
    for thread_id in masking::waiting_for_number(tx, org).await? {
        let new = enqueuer.new_job(&ThreadAssignNumber { thread_id })?.org(org.as_str());
        enqueuer.enqueue_to_see_now(tx, new).await?;
    }
    for run in runs::waiting_for_front_desk(tx, org).await? {
        automation::start(enqueuer, tx, &run).await?;
    }
    Ok(())
}

/// Enqueues the job that looks for a thread's number, unless there is one. If that one is just ending, the caller's next
/// poll enqueues another.
pub(crate) async fn find_number(enqueuer: &Enqueuer<'_>, tx: &mut Tx, thread: &ThreadId) -> Result<(), Error> {
    enqueuer.enqueue(tx, enqueuer.new_job(&ThreadAssignNumber { thread_id: thread.clone() })?).await?;
    Ok(())
}

/// Enqueues what waited for a thread's number, or the job that looks for a number if none was found.
pub(crate) async fn resume(enqueuer: &Enqueuer<'_>, tx: &mut Tx, step: &NumberStep) -> Result<(), Error> {
    for run in &step.released {
        automation::start(enqueuer, tx, run).await?;
    }
    for text in &step.texts {
        sms::send_now(enqueuer, tx, text).await?;
    }
    if step.given == NumberGiven::Missing {
        let job = ThreadAssignNumber { thread_id: step.thread_id.clone() };
        enqueuer.enqueue_to_see(tx, enqueuer.new_job(&job)?).await?;
    }
    Ok(())
}

/// Enqueues the job that closes a thread at `close.at`.
pub(crate) async fn close_at(enqueuer: &Enqueuer<'_>, tx: &mut Tx, close: &CloseThread) -> Result<(), Error> {
    let new = enqueuer.new_job(&ThreadClose { thread_id: close.thread_id.clone() })?.run_at(close.at);
    enqueuer.enqueue(tx, new).await?;
    Ok(())
}

/// Returns the time until something that waits for a number is polled again. The first times are short, because a
/// number that is found while the job is still running can't wake it.
pub(crate) fn look_again(polls: i64) -> Duration {
    let doublings = u32::try_from(polls).unwrap_or(u32::MAX).min(7);
    LOOK_AGAIN.min(Duration::from_secs(5 << doublings))
}
