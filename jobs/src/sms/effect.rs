//! The effect of sending a text in the ledger, which decides whether the text may be sent again.

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::ids::MessageId;
use nightshift_domain::messaging::delivery;
use nightshift_domain::messaging::message::MessageStatus;
use nightshift_queue::effects::{self, EffectState};
use nightshift_queue::{JobError, RetriedJob, Revival};

use crate::job_error::OrJobError;

/// The kind of the effect.
pub(super) const EFFECT: &str = "sms";

/// Brings a text back for an operator's retry: to be sent again if the ledger of effects says that it was not sent, or
/// to be found out if the ledger does not know.
pub(super) async fn revive(tx: &mut Tx, id: &MessageId, retried: &RetriedJob) -> Result<Revival, JobError> {
    let text = delivery::load(tx, id).await.or_job_error()?;
    let effect = effects::find(tx, EFFECT, &delivery::effect_key(id, text.given_back)).await?;
    let to = match effect.as_ref().map(|effect| effect.state) {
        Some(EffectState::Confirmed) => return Ok(Revival::Pointless("the text has been sent".to_owned())),
        Some(EffectState::Asked | EffectState::Unknown) => MessageStatus::Unconfirmed,
        None | Some(EffectState::Reserved | EffectState::Refused) => MessageStatus::Queued,
    };
    let by = Actor::system(&retried.id);
    if let Err(why) = delivery::revive(tx, id, to, &by, retried.at).await.or_job_error()? {
        return Ok(Revival::Pointless(why));
    }
    if let Some(refused) = effect.filter(|effect| effect.state == EffectState::Refused) {
        effects::reopen(tx, &refused.id, retried.at).await?;
    }
    Ok(Revival::Ready)
}
