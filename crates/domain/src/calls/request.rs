//! A request as it is stored, and how a transaction gets hold of it.

use nightshift_db::{Engine, Tx};

use crate::ids::{CallId, OrgId, ServiceRequestId};
use crate::phone::PhoneNumber;
use crate::text_enum::text_enum;
use crate::viewer::Viewer;
use crate::{Error, Result};

text_enum! {
    /// How far a request has come.
    pub enum ServiceRequestStatus {
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

/// A request as it is stored.
#[derive(Clone, sqlx::FromRow)]
pub struct ServiceRequest {
    /// Its id.
    pub id: ServiceRequestId,
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
    pub status: ServiceRequestStatus,
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

pub(super) async fn lock_request(tx: &mut Tx, id: &ServiceRequestId) -> Result<ServiceRequest> {
    lock_request_in(tx, None, id).await
}

/// The request, held until the transaction ends, if it belongs to `org`; one of another organisation is not waited for.
///
/// # Errors
/// [`Error::NotFound`].
pub(super) async fn lock_request_in(tx: &mut Tx, org: Option<&OrgId>, id: &ServiceRequestId) -> Result<ServiceRequest> {
    let sql = if tx.engine() == Engine::Postgres { REQUEST_LOCKED } else { REQUEST };
    tx.query(sql).bind(id).bind(org).optional().await?.ok_or(Error::NotFound)
}

/// The request, held until the transaction ends, if the viewer may see it; others are not waited for.
///
/// # Errors
/// [`Error::NotFound`].
pub(super) async fn lock_request_seen(tx: &mut Tx, viewer: &Viewer, id: &ServiceRequestId) -> Result<ServiceRequest> {
    let (org, request) = viewer.request_rows()?;
    if request.is_some_and(|request| request != id) {
        return Err(Error::NotFound);
    }
    lock_request_in(tx, org, id).await
}
