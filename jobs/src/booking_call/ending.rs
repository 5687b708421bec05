//! How a call ends here: by VAPI's report, or because its job ended without success.

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::calls::{self, Appointment, Call, Ending};
use nightshift_domain::ids::CallId;
use nightshift_providers::vapi::{CallOutcome, Progress};
use nightshift_queue::{DeadJob, ErrorClass, JobError, Revival};

use crate::job_error::OrJobError;

/// The longest transcript that is stored, in characters. Long calls stay below it.
const TRANSCRIPT_CHARS_MAX: usize = 100_000;

/// Returns the ending for a state of VAPI's call, or `None` while the call or its analysis goes on.
pub(crate) fn ending_of(progress: Progress, call: &Call) -> Option<Ending> {
    match progress {
        Progress::Underway | Progress::Analysing(_) => None,
        Progress::Ended(outcome) => Some(ending_with(outcome, call)),
        Progress::Lost { status } => Some(Ending::Failed { reason: format!("VAPI lists the call as {status}") }),
    }
}

/// Returns the ending with this outcome. A date or time that the model left out is taken from the request.
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

/// Ends a call whose job ended without success: as cancelled if the job was cancelled, else as failed.
pub(crate) async fn give_up(tx: &mut Tx, call: &CallId, dead: &DeadJob) -> Result<(), JobError> {
    let by = Actor::system(dead.info.id.as_str());
    let ending = match dead.class {
        ErrorClass::Cancelled => Ending::Cancelled,
        _ => Ending::Failed { reason: dead.error.clone() },
    };
    // This ending sends no texts, so no jobs follow.
    let _ = calls::complete(tx, call, &ending, None, &by, dead.at).await.or_job_error()?;
    Ok(())
}

/// Refuses to bring back a call that has ended, because the person may have chosen another provider in the meantime.
pub(crate) async fn revive(tx: &mut Tx, call: &CallId) -> Result<Revival, JobError> {
    let (call, _) = calls::lock(tx, call).await.or_job_error()?;
    Ok(if call.status.is_final() {
        Revival::Pointless(format!("the call has ended ({}); start a new call from its service request", call.status))
    } else {
        Revival::Ready
    })
}
