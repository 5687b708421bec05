//! Calls as the API and the page of a request both ask for them and show them.

use nightshift_db::Tx;
use nightshift_domain::calls::{CallView, NewCall, Scheduled};
use nightshift_domain::ids::ServiceRequestId;
use nightshift_jobs::Enqueuer;
use nightshift_jobs::booking_call::{self, poll::BookingCallPoll};

use super::auth::Caller;
use super::error::Result;
use super::state::Web;

/// Schedules a call as its caller may, with the job that places it.
///
/// # Errors
/// As the domain refuses it; 404 for the link of another request.
pub(super) async fn schedule_call(web: &Web, caller: &Caller, tx: &mut Tx, new_call: NewCall) -> Result<Scheduled> {
    let request = ServiceRequestId::from(new_call.service_request_id.clone().unwrap_or_default());
    let viewer = caller.viewer_of(web, &request)?;
    // The job that places the call fixes the mode for good; this is what it will be.
    let mode = web.dialing.mode();
    let enqueuer = Enqueuer::of_request(&web.queue);
    Ok(booking_call::schedule(&enqueuer, tx, &viewer, new_call, mode, &caller.actor()).await?)
}

/// Counts the polls of a call that goes on, which stand in the job that polls it.
pub(super) async fn with_polls(web: &Web, call: &mut CallView) -> Result<()> {
    if !call.status.is_final() {
        let polls = web.queue.polls_of(&BookingCallPoll::key(&call.id)).await?;
        call.poll_count = call.poll_count.max(polls.unwrap_or(0));
    }
    Ok(())
}
