//! The row of a call, and functions to read and lock it.

use nightshift_db::{Db, Engine, Json, Timestamp, Tx};
use serde_json::Value;

use super::request::{ServiceRequest, lock_request};
use crate::ids::{CallId, OrgId, ServiceProviderId, ServiceRequestId};
use crate::phone::PhoneNumber;
use crate::text_enum::text_enum;
use crate::{Error, Result};

text_enum! {
    pub enum CallStatus {
        /// Accepted, not started.
        Accepted = "accepted",
        /// The request to VAPI is about to be sent, or was sent.
        Starting = "starting",
        /// VAPI has placed the call.
        InProgress = "in_progress",
        /// The call ended with an appointment.
        Confirmed = "confirmed",
        /// The call ended without an appointment.
        NotConfirmed = "not_confirmed",
        /// The call could not be placed, or broke off.
        Failed = "failed",
        /// The end of the call was not reported in time.
        Timeout = "timeout",
        Cancelled = "cancelled",
    }
}

impl CallStatus {
    /// Returns whether the call has ended.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Accepted | Self::Starting | Self::InProgress)
    }
}

text_enum! {
    pub enum CallMode {
        /// Nobody: the call is simulated.
        Simulated = "simulated",
        /// The operator's own phone.
        Test = "test",
        /// The service provider.
        Production = "production",
    }
}

#[derive(Clone, sqlx::FromRow)]
pub struct Call {
    pub id: CallId,
    pub org_id: OrgId,
    pub service_request_id: ServiceRequestId,
    pub provider_id: ServiceProviderId,
    /// The id that callers of the API know.
    pub execution_id: String,
    pub mode: CallMode,
    /// The service provider's phone number.
    pub original_phone: PhoneNumber,
    /// The phone number that the call's mode allows.
    pub phone_to_call: PhoneNumber,
    /// The body of the API request for the call, completed from the stored request and service provider.
    pub request_body: Json<Value>,
    pub status: CallStatus,
    /// VAPI's id; `None` until it is known.
    pub vapi_call_id: Option<String>,
    /// Time of the last attempt to start the call.
    pub start_attempted_at: Option<Timestamp>,
    /// Also set once a poll finds that the call has ended and its analysis is not ready.
    pub ended_at: Option<Timestamp>,
    /// Number of polls until the call ended.
    pub poll_count: i64,
}

impl Call {
    /// Returns a text field of the request body, or `None` if it is missing or empty.
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

/// Returns the call without locking it.
///
/// # Errors
/// [`Error::NotFound`] if there is no such call.
pub async fn load(tx: &mut Tx, id: &CallId) -> Result<Call> {
    tx.query(BY_ID).bind(id).optional().await?.ok_or(Error::NotFound)
}

/// Returns the call outside any transaction.
///
/// # Errors
/// [`Error::NotFound`] if there is no such call.
pub async fn peek(db: &Db, id: &CallId) -> Result<Call> {
    db.read(BY_ID).bind(id).optional().await?.ok_or(Error::NotFound)
}

/// Locks the call's request and then the call, until the transaction ends. All code that locks both uses this order.
///
/// # Errors
/// [`Error::NotFound`] if there is no such call.
pub async fn lock(tx: &mut Tx, id: &CallId) -> Result<(Call, ServiceRequest)> {
    let seen = load(tx, id).await?;
    let request = lock_request(tx, &seen.service_request_id).await?;
    let sql = if tx.engine() == Engine::Postgres { BY_ID_LOCKED } else { BY_ID };
    let call = tx.query(sql).bind(id).optional().await?.ok_or(Error::NotFound)?;
    Ok((call, request))
}
