//! Automatic texts: each is an automation run, which a job executes.

pub mod run;

use nightshift_db::Tx;
use nightshift_domain::automations::runs::RunToStart;
use nightshift_queue::{Enqueued, Keys};

use crate::enqueuer::{Enqueuer, RunNow};
use crate::error::Error;

use run::RunAutomation;

/// Enqueues the job of a run. The job of a run that was released or reopened exists already: it is made due if it
/// waits, and gets a successor if it has ended.
pub(crate) async fn start(enqueuer: &Enqueuer<'_>, tx: &mut Tx, run: &RunToStart) -> Result<(), Error> {
    // Whether the text is real depends on its sender, which is not known yet.
    let mut new = enqueuer.new_job(&RunAutomation { automation_run_id: run.run_id.clone() })?.without_mode();
    if let Some(at) = run.not_before {
        new = new.run_at(at);
    }
    let Enqueued::Existing { id } = enqueuer.enqueue(tx, new.clone()).await? else { return Ok(()) };
    if enqueuer.run_now(tx, &id).await? == RunNow::Ended {
        enqueuer.enqueue(tx, new.keys(Keys::once(RunAutomation::key_after(&run.run_id, &id)))).await?;
    }
    Ok(())
}
