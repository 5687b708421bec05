//! The row of a service request, and functions to lock it.

use nightshift_db::{Engine, Tx};

use crate::ids::{CallId, OrgId, ServiceRequestId};
use crate::phone::PhoneNumber;
use crate::text_enum::text_enum;
use crate::viewer::Viewer;
use crate::{Error, Result};

text_enum! {
    pub enum ServiceRequestStatus as RequestStatus {
        /// Created, without recommendations.
        Pending = "PENDING",
        /// Service providers are being searched for.
        Searching = "SEARCHING",
        /// Service providers are being asked.
        Calling = "CALLING",
        /// The answers of service providers are being compared.
        Analyzing = "ANALYZING",
        /// There are service providers to choose from.
        Recommended = "RECOMMENDED",
        /// A call to one of the service providers is active.
        Booking = "BOOKING",
        /// An appointment was made.
        Completed = "COMPLETED",
        /// The request ended without an appointment.
        Failed = "FAILED",
        Cancelled = "CANCELLED",
    }
}

#[derive(Clone, sqlx::FromRow)]
pub struct ServiceRequest {
    pub id: ServiceRequestId,
    pub org_id: OrgId,
    /// The service that is requested.
    pub title: String,
    /// The requester's phone number.
    pub user_phone: Option<PhoneNumber>,
    /// The requester's name.
    pub contact_name: Option<String>,
    pub location: Option<String>,
    pub status: ServiceRequestStatus,
    /// The call that has not ended, if there is one.
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

/// Locks the request until the transaction ends and returns it, if it belongs to `org`. Does not wait for the lock of
/// another organisation's request.
///
/// # Errors
/// [`Error::NotFound`] if there is no such request in `org`.
pub(super) async fn lock_request_in(tx: &mut Tx, org: Option<&OrgId>, id: &ServiceRequestId) -> Result<ServiceRequest> {
    let sql = if tx.engine() == Engine::Postgres { REQUEST_LOCKED } else { REQUEST };
    tx.query(sql).bind(id).bind(org).optional().await?.ok_or(Error::NotFound)
}

/// Locks the request until the transaction ends and returns it, if the viewer may see it. Does not wait for the lock of
/// a request that the viewer may not see.
///
/// # Errors
/// [`Error::NotFound`] if there is no such request or the viewer may not see it.
pub(super) async fn lock_request_seen(tx: &mut Tx, viewer: &Viewer, id: &ServiceRequestId) -> Result<ServiceRequest> {
    let (org, request) = viewer.request_rows()?;
    if request.is_some_and(|request| request != id) {
        return Err(Error::NotFound);
    }
    lock_request_in(tx, org, id).await
}
