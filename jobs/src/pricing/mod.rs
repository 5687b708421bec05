//! The price check: started by a schedule or by a user, and processed in chunks.

pub mod reconcile;
pub mod reconcile_chunk;

use nightshift_db::Tx;
use nightshift_domain::Error as DomainError;
use nightshift_domain::ids::OrgId;
use nightshift_domain::reconciliation::{self, BegunRun, ReconciliationRun, ReconciliationStatus, Trigger};

use crate::enqueuer::Enqueuer;
use crate::error::Error;

use reconcile::PricingReconcile;
use reconcile_chunk::PricingReconcileChunk;

/// Starts a price check of an organisation for one of its days. Returns the id of the job that begins the run.
///
/// # Errors
/// [`Conflict`](DomainError::Conflict) `reconciliation_running` while a run is active, or an error of the queue.
pub async fn reconcile_now(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    org: &OrgId,
    local_date: &str,
) -> Result<String, Error> {
    if reconciliation::current(tx, org).await?.is_some() {
        let sentence = "a price check of this organisation is running";
        return Err(DomainError::conflict("reconciliation_running", sentence).into());
    }
    let job = PricingReconcile {
        org_id: org.clone(),
        local_date: local_date.to_owned(),
        trigger_kind: Trigger::Manual,
        attempt_no: reconciliation::next_attempt(tx, org, local_date).await?,
        missed: false,
    };
    let new = enqueuer.new_job(&job)?.org(org.as_str());
    Ok(enqueuer.enqueue(tx, new).await?.id().to_owned())
}

/// Begins the run of a due check, or finds the existing run, and has it continued unless it is completed.
pub(crate) async fn begin(enqueuer: &Enqueuer<'_>, tx: &mut Tx, check: &PricingReconcile) -> Result<BegunRun, Error> {
    let PricingReconcile { org_id, local_date, trigger_kind, attempt_no, missed } = check;
    let begun =
        reconciliation::begin(tx, org_id, local_date, *trigger_kind, *attempt_no, *missed, enqueuer.now()).await?;
    if !(begun.resumed && begun.run.status == ReconciliationStatus::Completed) {
        carry_on(enqueuer, tx, &begun.run).await?;
    }
    Ok(begun)
}

/// Hands a run over to a new job, which continues from the run's cursor.
pub(crate) async fn carry_on(enqueuer: &Enqueuer<'_>, tx: &mut Tx, run: &ReconciliationRun) -> Result<(), Error> {
    let new = enqueuer.new_job(&PricingReconcileChunk::next_of(run))?.correlation(run.id.as_str());
    let job = enqueuer.enqueue(tx, new).await?;
    Ok(reconciliation::hand_over(tx, &run.id, job.id(), enqueuer.now()).await?)
}
