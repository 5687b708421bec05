//! How a call ends here: by what VAPI tells, or because its job was given up.

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::calls::{self, Appointment, Call, Ending};
use nightshift_domain::ids::CallId;
use nightshift_providers::vapi::{CallOutcome, Progress};
use nightshift_queue::{DeadJob, ErrorClass, JobError, Revival};

use crate::job_error::OrJobError;

/// What a transcript may hold, in characters: a long call, and no more.
const TRANSCRIPT_CHARS_MAX: usize = 100_000;

/// How our call ends by what VAPI tells; not yet while more may come.
pub(crate) fn ending_of(progress: Progress, call: &Call) -> Option<Ending> {
    match progress {
        Progress::Underway | Progress::Analysing(_) => None,
        Progress::Ended(outcome) => Some(ending_with(outcome, call)),
        Progress::Lost { status } => Some(Ending::Failed { reason: format!("VAPI lists the call as {status}") }),
    }
}

/// The end with this outcome. A date or time that the model left out is the one that was wished for.
pub(crate) fn ending_with(outcome: CallOutcome, call: &Call) -> Ending {
    let transcript =
        outcome.transcript.map(|text| text.chars().filter(|c| *c != '\0').take(TRANSCRIPT_CHARS_MAX).collect());
    match outcome.confirmation {
        Some(confirmation) => {
            let or_wished =
                |given: Option<String>, wished| given.unwrap_or_else(|| call.asked(wished).unwrap_or("TBD").to_owned());
            let made = Appointment {
                date: or_wished(confirmation.date, "preferredDate"),
                time: or_wished(confirmation.time, "preferredTime"),
                number: confirmation.number,
            };
            Ending::Confirmed { made, transcript }
        }
        None => Ending::NotConfirmed { transcript, reason: outcome.ended_reason },
    }
}

/// A call whose job was given up has failed for us; with a cancelled job it is not wanted any more.
pub(crate) async fn give_up(tx: &mut Tx, call: &CallId, dead: &DeadJob) -> Result<(), JobError> {
    let by = Actor::system(dead.info.id.as_str());
    let ending = match dead.class {
        ErrorClass::Cancelled => Ending::Cancelled,
        _ => Ending::Failed { reason: dead.error.clone() },
    };
    // Nobody is told of such an end, so nothing follows.
    let _ = calls::complete(tx, call, &ending, None, &by, dead.at).await.or_job_error()?;
    Ok(())
}

/// A call that is over is not placed or polled again: the person may have chosen somebody else meanwhile.
pub(crate) async fn revive(tx: &mut Tx, call: &CallId) -> Result<Revival, JobError> {
    let (call, _) = calls::lock(tx, call).await.or_job_error()?;
    Ok(if call.status.is_final() {
        Revival::Pointless(format!("the call is over ({}); ask for a new one at its request", call.status))
    } else {
        Revival::Ready
    })
}
