//! The ledger of outside effects: a text to send, a call to place.
//!
//! The intent is a row, keyed by the business fact that asks for it, and committed before the request leaves. The
//! answer settles it. An attempt that finds an intent that was asked but has no answer must not ask again: it makes it
//! `unknown` and finds out from the provider what became of it. Only proof that nothing left lets it be asked anew.
//!
//! ```text
//! reserved --ask--> asked --confirm--> confirmed
//!    ^               |  \---refuse---> refused
//!    |               +-----doubt-----> unknown --confirm--> confirmed
//!    +---- not_sent -+---- not_sent ------+    \--refuse--> refused
//!    +---- reopen (a person's retry) ------------------------/
//! ```

use nightshift_db::{DbError, Result, Timestamp, Tx, new_id, sabotage};
use sqlx::FromRow;

use crate::job::Mode;

/// Where an effect stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectState {
    /// Intended; nothing has left.
    Reserved,
    /// The request may have left; no answer is stored.
    Asked,
    /// The provider took it.
    Confirmed,
    /// The provider will not take it.
    Refused,
    /// It is not known whether the provider took it.
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

    /// Whether it is known how it ended.
    #[must_use]
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Confirmed | Self::Refused)
    }
}

/// One effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: EffectState,
    /// The provider's name for it, once known.
    pub provider_ref: Option<String>,
    /// When the request was about to leave, for look-ups at the provider.
    pub asked_at: Option<Timestamp>,
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

/// Notes the intent, or finds the one that stands. `business_key` names the fact that asks for the effect, so however
/// many jobs ask for it there is one row.
///
/// # Errors
/// A database error.
pub async fn reserve(
    tx: &mut Tx,
    kind: &str,
    business_key: &str,
    job_id: Option<&str>,
    mode: Mode,
    now: Timestamp,
) -> Result<Effect> {
    tx.query(
        "INSERT INTO effects (id, kind, business_key, job_id, mode, state, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, 'reserved', $6, $6)
         ON CONFLICT (kind, business_key) DO NOTHING",
    )
    .bind(new_id(now))
    .bind(kind)
    .bind(business_key)
    .bind(job_id)
    .bind(mode.as_str())
    .bind(now)
    .execute()
    .await?;
    find(tx, kind, business_key).await?.ok_or(DbError::NotFound)
}

/// The effect of a business fact, if it was ever intended.
///
/// # Errors
/// A database error.
pub async fn find(tx: &mut Tx, kind: &str, business_key: &str) -> Result<Option<Effect>> {
    tx.query("SELECT id, state, provider_ref, asked_at FROM effects WHERE kind = $1 AND business_key = $2")
        .bind(kind)
        .bind(business_key)
        .optional::<Row>()
        .await?
        .map(Effect::try_from)
        .transpose()
}

/// The request is about to leave. Returns whether this caller may send it: only one that found it reserved may.
/// Commit before sending.
///
/// # Errors
/// A database error.
pub async fn ask(tx: &mut Tx, id: &str, now: Timestamp) -> Result<bool> {
    let changed = tx
        .query("UPDATE effects SET state = 'asked', asked_at = $2, error = NULL, updated_at = $2 WHERE id = $1 AND state = 'reserved'")
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(changed == 1 || sabotage::is("effects_asked_again"))
}

/// The provider took it and calls it `provider_ref`.
///
/// # Errors
/// A database error.
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

/// The provider will not take it.
///
/// # Errors
/// A database error.
pub async fn refuse(tx: &mut Tx, id: &str, error: &str, now: Timestamp) -> Result<bool> {
    settle(tx, "UPDATE effects SET state = 'refused', error = $2, settled_at = $3, updated_at = $3 WHERE id = $1 AND state IN ('reserved', 'asked', 'unknown')", id, error, now).await
}

/// The request left and its answer was lost.
///
/// # Errors
/// A database error.
pub async fn mark_unknown(tx: &mut Tx, id: &str, error: &str, now: Timestamp) -> Result<bool> {
    settle(
        tx,
        "UPDATE effects SET state = 'unknown', error = $2, updated_at = $3 WHERE id = $1 AND state = 'asked'",
        id,
        error,
        now,
    )
    .await
}

/// It is proven that nothing left: it may be asked again.
///
/// # Errors
/// A database error.
pub async fn not_sent(tx: &mut Tx, id: &str, error: &str, now: Timestamp) -> Result<bool> {
    settle(tx, "UPDATE effects SET state = 'reserved', error = $2, updated_at = $3 WHERE id = $1 AND state IN ('asked', 'unknown')", id, error, now).await
}

/// A person wants what the provider refused to be asked anew: nothing left. True when it was refused and is reserved.
///
/// # Errors
/// A database error.
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

async fn settle(tx: &mut Tx, sql: &'static str, id: &str, error: &str, now: Timestamp) -> Result<bool> {
    Ok(tx.query(sql).bind(id).bind(error).bind(now).execute().await? == 1)
}
