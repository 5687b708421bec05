//! A call as it is stored, and how a transaction gets hold of it.

use nightshift_db::{Db, Engine, Json, Timestamp, Tx};
use serde_json::Value;

use super::request::{ServiceRequest, lock_request};
use crate::ids::{CallId, OrgId, ServiceProviderId, ServiceRequestId};
use crate::phone::PhoneNumber;
use crate::text_enum::text_enum;
use crate::{Error, Result};

text_enum! {
    /// How far a call has come.
    pub enum CallStatus {
        /// It is wanted.
        Accepted = "accepted",
        /// The request for it is about to leave, or has left.
        Starting = "starting",
        /// It was placed.
        InProgress = "in_progress",
        /// It made an appointment.
        Confirmed = "confirmed",
        /// It made none.
        NotConfirmed = "not_confirmed",
        /// It could not be made, or broke.
        Failed = "failed",
        /// Nobody knows how it ended.
        Timeout = "timeout",
        /// It is not wanted any more.
        Cancelled = "cancelled",
    }
}

impl CallStatus {
    /// Whether it is over.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Accepted | Self::Starting | Self::InProgress)
    }
}

text_enum! {
    /// Whom a call reaches.
    pub enum CallMode {
        /// Nobody: it is made up.
        Simulated = "simulated",
        /// The operator's own phone.
        Test = "test",
        /// The provider.
        Production = "production",
    }
}

/// A call as it is stored.
#[derive(Clone, sqlx::FromRow)]
pub struct Call {
    /// Its id.
    pub id: CallId,
    /// Whose it is.
    pub org_id: OrgId,
    /// The request it is for.
    pub service_request_id: ServiceRequestId,
    /// Who is called.
    pub provider_id: ServiceProviderId,
    /// What callers of the API know it by.
    pub execution_id: String,
    /// Whom it reaches.
    pub mode: CallMode,
    /// The provider's phone.
    pub original_phone: PhoneNumber,
    /// The phone its mode lets it reach.
    pub phone_to_call: PhoneNumber,
    /// What was asked for.
    pub request_body: Json<Value>,
    /// How far it has come.
    pub status: CallStatus,
    /// VAPI's id.
    pub vapi_call_id: Option<String>,
    /// When the request for it was about to leave.
    pub start_attempted_at: Option<Timestamp>,
    /// When it was over, seen by a look.
    pub ended_at: Option<Timestamp>,
    /// Looks until its end.
    pub poll_count: i64,
}

impl Call {
    /// A value of what was asked for.
    #[must_use]
    pub fn asked(&self, field: &str) -> Option<&str> {
        self.request_body.0.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
    }
}

macro_rules! call_columns {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, org_id, service_request_id, provider_id, execution_id, mode, original_phone, phone_to_call,
              request_body, status, vapi_call_id, start_attempted_at, ended_at, poll_count ",
            $after
        )
    };
}
const BY_ID: &str = call_columns!("SELECT", "FROM booking_calls WHERE id = $1");
const BY_ID_LOCKED: &str = call_columns!("SELECT", "FROM booking_calls WHERE id = $1 FOR NO KEY UPDATE");

/// The call, without holding it.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn load(tx: &mut Tx, id: &CallId) -> Result<Call> {
    tx.query(BY_ID).bind(id).optional().await?.ok_or(Error::NotFound)
}

/// The call, outside any transaction.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn peek(db: &Db, id: &CallId) -> Result<Call> {
    db.read(BY_ID).bind(id).optional().await?.ok_or(Error::NotFound)
}

/// The call, held until the transaction ends, after its request: the order in which whoever holds both takes them.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn lock(tx: &mut Tx, id: &CallId) -> Result<(Call, ServiceRequest)> {
    let seen = load(tx, id).await?;
    let request = lock_request(tx, &seen.service_request_id).await?;
    let sql = if tx.engine() == Engine::Postgres { BY_ID_LOCKED } else { BY_ID };
    let call = tx.query(sql).bind(id).optional().await?.ok_or(Error::NotFound)?;
    Ok((call, request))
}
