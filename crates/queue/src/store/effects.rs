//! The ledger of effects: requests that must not be sent twice, such as a text or a call.
//!
//! The intent is a row, identified by the business fact that causes the effect, and is committed before the request is
//! sent. The answer settles it. An attempt that finds an effect that was asked without a stored answer must not send
//! the request again: it marks the effect as `unknown` and asks the provider. The request may be sent again only if it
//! is certain that nothing was sent.
//!
//! The time of a request, `asked_at`, identifies it: what is known about an earlier request settles no later one. Only
//! that the provider accepted a request holds for the effect itself, whichever request it was.
//!
//! ```text
//! reserved --ask--> asked --confirm--> confirmed
//!    ^               |  \---refuse---> refused
//!    |               +--mark_unknown-> unknown --confirm--> confirmed
//!    +---- not_sent -+---- not_sent ------+    \--refuse--> refused
//!    +---- reopen (an operator's retry) ---------------------/
//! ```

use std::time::Duration;

use nightshift_db::{DbError, Result, Timestamp, Tx, new_id, sabotage};
use sqlx::FromRow;

use crate::job::Mode;

/// By how much a clock may go back without counting as set. Within it two requests never have the same time.
const STANDS_STILL: Duration = Duration::from_secs(2);

/// The state of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectState {
    /// The intent is stored; nothing was sent.
    Reserved,
    /// The request may have been sent; no answer is stored.
    Asked,
    /// The provider accepted the request.
    Confirmed,
    /// The provider refused the request.
    Refused,
    /// It is unknown whether the provider accepted the request.
    Unknown,
}

impl EffectState {
    fn parse(text: &str) -> Result<Self> {
        Ok(match text {
            "reserved" => Self::Reserved,
            "asked" => Self::Asked,
            "confirmed" => Self::Confirmed,
            "refused" => Self::Refused,
            "unknown" => Self::Unknown,
            _ => return Err(DbError::Config(format!("effect state {text:?} is not known to this program"))),
        })
    }

    /// Returns whether the outcome is known.
    #[must_use]
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Confirmed | Self::Refused)
    }
}

/// An effect in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The id of the row.
    pub id: String,
    /// The current state.
    pub state: EffectState,
    /// The provider's id for it. `None` until the effect is confirmed.
    pub provider_ref: Option<String>,
    /// Time just before the last request, which identifies it, and with which searches at the provider begin. `None` if
    /// it was never asked.
    pub asked_at: Option<Timestamp>,
}

/// The result of settling a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The ledger has changed.
    Stored,
    /// The ledger has not changed, because the request was settled before.
    Before,
    /// The ledger has not changed, because a later request was sent since. Of that one nothing is known.
    Outdated,
}

#[derive(FromRow)]
struct Row {
    id: String,
    state: String,
    provider_ref: Option<String>,
    asked_at: Option<Timestamp>,
}

impl TryFrom<Row> for Effect {
    type Error = DbError;
    fn try_from(row: Row) -> Result<Self> {
        let state = EffectState::parse(&row.state)?;
        Ok(Self { id: row.id, state, provider_ref: row.provider_ref, asked_at: row.asked_at })
    }
}

/// Stores the intent of an effect, or returns the existing one. `business_key` identifies the fact that causes the
/// effect: there is one row for it, however many jobs reserve it. The row is locked until the transaction ends.
pub async fn reserve(
    tx: &mut Tx,
    kind: &str,
    business_key: &str,
    job_id: Option<&str>,
    mode: Mode,
    now: Timestamp,
) -> Result<Effect> {
    // The update changes nothing: it locks an existing row and lets RETURNING return it.
    tx.query(
        "INSERT INTO effects (id, kind, business_key, job_id, mode, state, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, 'reserved', $6, $6)
         ON CONFLICT (kind, business_key) DO UPDATE SET kind = EXCLUDED.kind
         RETURNING id, state, provider_ref, asked_at",
    )
    .bind(new_id(now))
    .bind(kind)
    .bind(business_key)
    .bind(job_id)
    .bind(mode.as_str())
    .bind(now)
    .one::<Row>()
    .await?
    .try_into()
}

/// Returns the effect of a business fact, or `None` if it was never reserved.
pub async fn find(tx: &mut Tx, kind: &str, business_key: &str) -> Result<Option<Effect>> {
    tx.query("SELECT id, state, provider_ref, asked_at FROM effects WHERE kind = $1 AND business_key = $2")
        .bind(kind)
        .bind(business_key)
        .optional::<Row>()
        .await?
        .map(Effect::try_from)
        .transpose()
}

/// Returns whether the provider accepted an effect of this kind as `provider_ref`. Index: `effects_accepted`.
pub async fn is_accepted(tx: &mut Tx, kind: &str, provider_ref: &str) -> Result<bool> {
    tx.query("SELECT EXISTS (SELECT 1 FROM effects WHERE kind = $1 AND provider_ref = $2)")
        .bind(kind)
        .bind(provider_ref)
        .scalar()
        .await
}

/// Marks the request as about to be sent, which must be committed before it is sent. Returns the record of the request
/// that the caller may send, or `None` if it must not be sent, because the effect is not reserved. `reserved` must come
/// from [`reserve`] in the same transaction.
pub async fn ask(tx: &mut Tx, reserved: &Effect, now: Timestamp) -> Result<Option<Effect>> {
    let asked_at = match reserved.asked_at {
        Some(before) if now <= before && before.since(now) <= STANDS_STILL => before + Duration::from_millis(1),
        // If the clock was set back further, a search from the earlier request's time on would miss this one.
        _ => now,
    };
    let changed = tx
        .query("UPDATE effects SET state = 'asked', asked_at = $2, error = NULL, updated_at = $3 WHERE id = $1 AND state = 'reserved'")
        .bind(&reserved.id)
        .bind(asked_at)
        .bind(now)
        .execute()
        .await?;
    let asked = Effect { state: EffectState::Asked, asked_at: Some(asked_at), ..reserved.clone() };
    Ok((changed == 1 || sabotage::is("effects_asked_again")).then_some(asked))
}

/// Records that the provider accepted the request and identifies it as `provider_ref`. Returns false if the effect was
/// already settled.
pub async fn confirm(tx: &mut Tx, id: &str, provider_ref: &str, now: Timestamp) -> Result<bool> {
    let changed = tx
        .query(
            "UPDATE effects SET state = 'confirmed', provider_ref = $2, settled_at = $3, error = NULL, updated_at = $3
             WHERE id = $1 AND state IN ('reserved', 'asked', 'unknown')",
        )
        .bind(id)
        .bind(provider_ref)
        .bind(now)
        .execute()
        .await?;
    Ok(changed == 1)
}

/// Records that the provider refused this request.
pub async fn refuse(tx: &mut Tx, request: &Effect, error: &str, now: Timestamp) -> Result<Settlement> {
    settle(
        tx,
        "UPDATE effects SET state = 'refused', error = $2, settled_at = $3, updated_at = $3
         WHERE id = $1 AND state IN ('reserved', 'asked', 'unknown') AND asked_at IS NOT DISTINCT FROM $4",
        request,
        error,
        now,
    )
    .await
}

/// Records that this request may have been sent and its answer was lost.
pub async fn mark_unknown(tx: &mut Tx, request: &Effect, error: &str, now: Timestamp) -> Result<Settlement> {
    settle(
        tx,
        "UPDATE effects SET state = 'unknown', error = $2, updated_at = $3
         WHERE id = $1 AND state = 'asked' AND asked_at IS NOT DISTINCT FROM $4",
        request,
        error,
        now,
    )
    .await
}

/// Records that this request was not sent, of which the caller must be certain, so that another one may be sent.
pub async fn not_sent(tx: &mut Tx, request: &Effect, error: &str, now: Timestamp) -> Result<Settlement> {
    settle(
        tx,
        "UPDATE effects SET state = 'reserved', error = $2, updated_at = $3
         WHERE id = $1 AND state IN ('asked', 'unknown') AND asked_at IS NOT DISTINCT FROM $4",
        request,
        error,
        now,
    )
    .await
}

/// Reserves an effect again that the provider refused, when an operator retries it. Returns false unless it was
/// refused.
pub async fn reopen(tx: &mut Tx, id: &str, now: Timestamp) -> Result<bool> {
    let reopened = tx
        .query(
            "UPDATE effects SET state = 'reserved', settled_at = NULL, updated_at = $2
             WHERE id = $1 AND state = 'refused'",
        )
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(reopened == 1)
}

async fn settle(tx: &mut Tx, sql: &'static str, request: &Effect, error: &str, now: Timestamp) -> Result<Settlement> {
    let mut asked_at = request.asked_at;
    if sabotage::is("late_answers_settle") {
        asked_at = last_request(tx, &request.id).await?;
    }
    if tx.query(sql).bind(&request.id).bind(error).bind(now).bind(asked_at).execute().await? == 1 {
        return Ok(Settlement::Stored);
    }
    Ok(if asked_at == last_request(tx, &request.id).await? { Settlement::Before } else { Settlement::Outdated })
}

/// Returns the time of the last request.
async fn last_request(tx: &mut Tx, id: &str) -> Result<Option<Timestamp>> {
    tx.query("SELECT asked_at FROM effects WHERE id = $1").bind(id).scalar().await
}
