//! Automatic texts: each is a run of the ledger, and a job executes it.

pub mod run;

use nightshift_db::Tx;
use nightshift_domain::automations::runs::RunToStart;
use nightshift_queue::{Enqueued, Keys};

use crate::enqueuer::{Enqueuer, RunNow};
use crate::error::Error;

use run::AutomationRun;

/// Has a run executed. A run that is set free or brought back has had its job: that one is woken if it still waits, and
/// gets a successor if it ended.
pub(crate) async fn start(enqueuer: &Enqueuer<'_>, tx: &mut Tx, run: &RunToStart) -> Result<(), Error> {
    // Whether a text is real is told by who sends it.
    let mut new = enqueuer.new_job(&AutomationRun { automation_run_id: run.run_id.clone() })?.without_mode();
    if let Some(at) = run.not_before {
        new = new.run_at(at);
    }
    let Enqueued::Existing { id } = enqueuer.enqueue(tx, new.clone()).await? else { return Ok(()) };
    if enqueuer.run_now(tx, &id).await? == RunNow::Ended {
        enqueuer.enqueue(tx, new.keys(Keys::once(AutomationRun::key_after(&run.run_id, &id)))).await?;
    }
    Ok(())
}
