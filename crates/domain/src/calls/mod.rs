//! Appointments elsewhere: somebody asks for a service, providers are recommended, and a call books one of them.
//!
//! A request is `BOOKING` exactly while one call of it is not over; the database holds it to one. Whatever ends a call
//! goes through [`complete`](fn@complete), which looks first whether it is over already: a poll and a report that arrive
//! together end it once.

mod complete;
mod late;
mod past;
mod requests;
mod schedule;
mod start;
mod view;

use nightshift_db::{Db, Engine, Json, Timestamp, Tx};
use serde_json::Value;

use crate::ids::{CallId, OrgId, ProviderId, RequestId};
use crate::phone::PhoneNumber;
use crate::text_enum::text_enum;
use crate::viewer::Viewer;
use crate::{Error, Result};

pub use complete::{Completed, Ending, Made, complete, tell_anyway};
pub use past::appointment_at;
pub use requests::{NewProvider, NewRequest, add_providers, cancel_request, create};
pub use schedule::{Schedule, Scheduled, prefers_past, schedule};
pub use start::{Begun, Dialing, adopt, analysing, begin, by_report, not_started, started};
pub use view::{
    CallView, ProviderView, RequestView, call_by_execution, list, org_of_request, request_of_execution, view,
};

text_enum! {
    /// How far a request has come.
    pub enum RequestStatus {
        /// Nobody has looked yet.
        Pending = "PENDING",
        /// Providers are looked for.
        Searching = "SEARCHING",
        /// Providers are asked.
        Calling = "CALLING",
        /// Their answers are compared.
        Analyzing = "ANALYZING",
        /// There are providers to choose from.
        Recommended = "RECOMMENDED",
        /// A call books one of them.
        Booking = "BOOKING",
        /// It is booked.
        Completed = "COMPLETED",
        /// It came to nothing.
        Failed = "FAILED",
        /// It is not wanted any more.
        Cancelled = "CANCELLED",
    }
}

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
    pub service_request_id: RequestId,
    /// Who is called.
    pub provider_id: ProviderId,
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
pub async fn lock(tx: &mut Tx, id: &CallId) -> Result<(Call, Request)> {
    let seen = load(tx, id).await?;
    let request = lock_request(tx, &seen.service_request_id).await?;
    let sql = if tx.engine() == Engine::Postgres { BY_ID_LOCKED } else { BY_ID };
    let call = tx.query(sql).bind(id).optional().await?.ok_or(Error::NotFound)?;
    Ok((call, request))
}

/// A request as it is stored.
#[derive(Clone, sqlx::FromRow)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// Whose it is.
    pub org_id: OrgId,
    /// What is asked for.
    pub title: String,
    /// Who asks.
    pub user_phone: Option<PhoneNumber>,
    /// Their name.
    pub contact_name: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// How far it has come.
    pub status: RequestStatus,
    /// The call under way.
    pub active_booking_call_id: Option<CallId>,
}

macro_rules! request_of {
    ($lock:literal) => {
        concat!(
            "SELECT id, org_id, title, user_phone, contact_name, location, status, active_booking_call_id
             FROM service_requests WHERE id = $1 AND org_id = COALESCE($2, org_id)",
            $lock
        )
    };
}
const REQUEST: &str = request_of!("");
const REQUEST_LOCKED: &str = request_of!(" FOR NO KEY UPDATE");

async fn lock_request(tx: &mut Tx, id: &RequestId) -> Result<Request> {
    lock_request_in(tx, None, id).await
}

/// The request, held until the transaction ends, if it belongs to `org`; one of another organisation is not waited for.
///
/// # Errors
/// [`Error::NotFound`].
async fn lock_request_in(tx: &mut Tx, org: Option<&OrgId>, id: &RequestId) -> Result<Request> {
    let sql = if tx.engine() == Engine::Postgres { REQUEST_LOCKED } else { REQUEST };
    tx.query(sql).bind(id).bind(org).optional().await?.ok_or(Error::NotFound)
}

/// The request, held until the transaction ends, if the viewer may see it; others are not waited for.
///
/// # Errors
/// [`Error::NotFound`].
async fn lock_request_seen(tx: &mut Tx, viewer: &Viewer, id: &RequestId) -> Result<Request> {
    let (org, request) = viewer.request_rows()?;
    if request.is_some_and(|request| request != id) {
        return Err(Error::NotFound);
    }
    lock_request_in(tx, org, id).await
}
