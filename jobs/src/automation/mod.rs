//! Automatic texts: each is an automation run, which a job executes.

pub mod run;

use nightshift_db::Tx;
use nightshift_domain::automations::runs::RunToStart;

use crate::enqueuer::Enqueuer;
use crate::error::Error;

use run::RunAutomation;

/// Enqueues the job of a run. The job of a run that was released or reopened exists already: it is made due if it
/// waits, and gets a successor otherwise.
pub(crate) async fn start(enqueuer: &Enqueuer<'_>, tx: &mut Tx, run: &RunToStart) -> Result<(), Error> {
    // Whether the text is real depends on its sender, which is not known yet.
    let mut new = enqueuer.new_job(&RunAutomation { automation_run_id: run.run_id.clone() })?.without_mode();
    if let Some(at) = run.not_before {
        new = new.run_at(at);
    }
    Ok(enqueuer.enqueue_to_see_now(tx, new).await?)
}
