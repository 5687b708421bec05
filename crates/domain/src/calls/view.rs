//! Service requests, service providers and calls as the API shows them.

use nightshift_db::{Db, Json, Timestamp};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{CallMode, CallStatus, ServiceRequestStatus};
use crate::audience::Audience;
use crate::ids::{CallId, OrgId, ServiceProviderId, ServiceRequestId};
use crate::list::{List, newest_first};
use crate::page::{Limit, Page};
use crate::phone::PhoneNumber;
use crate::viewer::Viewer;
use crate::{Error, Result};

/// A service request.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ServiceRequest)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRequestView {
    pub id: ServiceRequestId,
    pub title: String,
    pub user_phone: Option<String>,
    pub contact_name: Option<String>,
    pub location: Option<String>,
    pub status: ServiceRequestStatus,
    pub selected_provider_id: Option<ServiceProviderId>,
    pub final_outcome: Option<String>,
    pub created_at: Timestamp,
    pub version: i64,
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub providers: Option<Vec<ServiceProviderView>>,
    pub active_call: Option<CallView>,
}

/// A service provider that was recommended for a request.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ServiceProvider)]
#[serde(rename_all = "camelCase")]
pub struct ServiceProviderView {
    pub id: ServiceProviderId,
    pub name: String,
    pub phone: String,
    pub rating: Option<String>,
    pub rank: Option<String>,
    pub recommendation: Option<String>,
    pub earliest_availability: Option<String>,
    pub booking_confirmed: bool,
    pub booking_date: Option<String>,
    pub booking_time: Option<String>,
    pub confirmation_number: Option<String>,
    pub last_call_at: Option<Timestamp>,
}

/// A call that books an appointment.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, ToSchema)]
#[schema(as = BookingCall)]
#[serde(rename_all = "camelCase")]
pub struct CallView {
    #[serde(skip)]
    pub id: CallId,
    pub execution_id: String,
    pub service_request_id: ServiceRequestId,
    pub provider_id: ServiceProviderId,
    pub mode: CallMode,
    pub status: CallStatus,
    /// Number of polls until the call ended. During the call it is not updated here; the job that polls counts.
    pub poll_count: i64,
    #[schema(value_type = Option<Object>)]
    #[serde(serialize_with = "plain")]
    pub result: Option<Json<Value>>,
    pub failure_reason: Option<String>,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

fn plain<S: serde::Serializer>(value: &Option<Json<Value>>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_ref().map(|value| &value.0).serialize(serializer)
}

#[derive(sqlx::FromRow)]
struct RequestRow {
    id: ServiceRequestId,
    title: String,
    user_phone: Option<PhoneNumber>,
    contact_name: Option<String>,
    location: Option<String>,
    status: ServiceRequestStatus,
    selected_provider_id: Option<ServiceProviderId>,
    final_outcome: Option<String>,
    active_booking_call_id: Option<CallId>,
    version: i64,
    created_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct ProviderRow {
    id: ServiceProviderId,
    name: String,
    phone: PhoneNumber,
    rating: Option<String>,
    rank: Option<String>,
    recommendation: Option<String>,
    earliest_availability: Option<String>,
    booking_confirmed: bool,
    booking_date: Option<String>,
    booking_time: Option<String>,
    confirmation_number: Option<String>,
    last_call_at: Option<Timestamp>,
}

macro_rules! select_requests {
    ($rest:literal) => {
        concat!(
            "SELECT id, title, user_phone, contact_name, location, status, selected_provider_id, final_outcome,
                    active_booking_call_id, version, created_at
             FROM service_requests ",
            $rest
        )
    };
}

macro_rules! select_calls {
    ($rest:literal) => {
        concat!(
            "SELECT id, execution_id, service_request_id, provider_id, mode, status, poll_count, result, failure_reason,
                    started_at, ended_at, created_at
             FROM booking_calls ",
            $rest
        )
    };
}

impl RequestRow {
    fn into_view(self, audience: Audience, active_call: Option<CallView>) -> ServiceRequestView {
        ServiceRequestView {
            user_phone: self.user_phone.map(|phone| audience.client_phone(&phone)),
            id: self.id,
            title: self.title,
            contact_name: self.contact_name,
            location: self.location,
            status: self.status,
            selected_provider_id: self.selected_provider_id,
            final_outcome: self.final_outcome,
            created_at: self.created_at,
            version: self.version,
            providers: None,
            active_call,
        }
    }
}

newest_first!(RequestRow: "created_at" = created_at, "id" = id);

/// Returns one request with its service providers and its active call.
///
/// # Errors
/// [`Error::NotFound`] if there is no such request or the viewer may not see it.
pub async fn view(db: &Db, viewer: &Viewer, id: &ServiceRequestId) -> Result<ServiceRequestView> {
    let audience = viewer.audience();
    let (org, request) = viewer.request_rows()?;
    let row: RequestRow = db
        .read(select_requests!(
            "WHERE id = $1 AND (CAST($2 AS TEXT) IS NULL OR org_id = $2) AND (CAST($3 AS TEXT) IS NULL OR id = $3)"
        ))
        .bind(id)
        .bind(org)
        .bind(request)
        .optional()
        .await?
        .ok_or(Error::NotFound)?;
    let active: Option<CallView> = match &row.active_booking_call_id {
        Some(call) => db.read(select_calls!("WHERE id = $1")).bind(call).optional().await?,
        None => None,
    };
    let providers: Vec<ProviderRow> = db
        .read(
            "SELECT id, name, phone, rating, rank, recommendation, earliest_availability, booking_confirmed,
                    booking_date, booking_time, confirmation_number, last_call_at
             FROM providers WHERE service_request_id = $1 ORDER BY created_at, id",
        )
        .bind(id)
        .all()
        .await?;
    let providers = providers
        .into_iter()
        .map(|row| ServiceProviderView {
            phone: audience.client_phone(&row.phone),
            id: row.id,
            name: row.name,
            rating: row.rating,
            rank: row.rank,
            recommendation: row.recommendation,
            earliest_availability: row.earliest_availability,
            booking_confirmed: row.booking_confirmed,
            booking_date: row.booking_date,
            booking_time: row.booking_time,
            confirmation_number: row.confirmation_number,
            last_call_at: row.last_call_at,
        })
        .collect();
    Ok(ServiceRequestView { providers: Some(providers), ..row.into_view(audience, active) })
}

/// Returns a page of the requests of the viewer's organisation, newest first, without their service providers.
///
/// # Errors
/// [`Error::BadCursor`] for an unknown cursor; [`Error::Forbidden`] for sitters and for viewers without an
/// organisation.
pub async fn list(
    db: &Db,
    viewer: &Viewer,
    status: Option<ServiceRequestStatus>,
    cursor: Option<&str>,
    limit: Limit,
) -> Result<Page<ServiceRequestView>> {
    let page: Page<RequestRow> = List::new(db, select_requests!(""), viewer.own_org_scope("org_id = $1")?)
        .filter("status = $1", status)
        .page(cursor, limit)
        .await?;
    Ok(page.map(|row| row.into_view(viewer.audience(), None)))
}

/// Returns a call by its execution id, the id that callers of the API know.
///
/// # Errors
/// [`Error::NotFound`] if there is no such call or the viewer may not see it.
pub async fn call_by_execution(db: &Db, viewer: &Viewer, execution_id: &str) -> Result<CallView> {
    let (org, request) = viewer.request_rows()?;
    db.read(select_calls!(
        "WHERE execution_id = $1 AND (CAST($2 AS TEXT) IS NULL OR org_id = $2)
           AND (CAST($3 AS TEXT) IS NULL OR service_request_id = $3)"
    ))
    .bind(execution_id)
    .bind(org)
    .bind(request)
    .optional()
    .await?
    .ok_or(Error::NotFound)
}

/// Returns status and mode of a request's newest call. If an appointment was made, that call made it. Returns `None`
/// before the first call, and for a request that the viewer may not see.
///
/// # Errors
/// [`Error::NotFound`] for a viewer who may see no requests.
pub async fn last_call(db: &Db, viewer: &Viewer, id: &ServiceRequestId) -> Result<Option<(CallStatus, CallMode)>> {
    let (org, request) = viewer.request_rows()?;
    db.read(
        "SELECT status, mode FROM booking_calls
             WHERE service_request_id = $1 AND (CAST($2 AS TEXT) IS NULL OR org_id = $2)
               AND (CAST($3 AS TEXT) IS NULL OR service_request_id = $3)
             ORDER BY created_at DESC, id DESC LIMIT 1",
    )
    .bind(id)
    .bind(org)
    .bind(request)
    .optional()
    .await
    .map_err(Into::into)
}

/// Returns the request that an execution is for, or `None` if the execution is unknown. There is no viewer yet: the id
/// is compared with the token of a link and grants no access by itself.
pub async fn request_of_execution(db: &Db, execution_id: &str) -> Result<Option<ServiceRequestId>> {
    let found: Option<(ServiceRequestId,)> = db
        .read("SELECT service_request_id FROM booking_calls WHERE execution_id = $1")
        .bind(execution_id)
        .optional()
        .await?;
    Ok(found.map(|(id,)| id))
}

/// Returns the organisation that a request belongs to.
///
/// # Errors
/// [`Error::NotFound`] if there is no such request or the viewer may not see it.
pub async fn org_of_request(db: &Db, viewer: &Viewer, id: &ServiceRequestId) -> Result<OrgId> {
    let found: Option<(OrgId,)> =
        db.read("SELECT org_id FROM service_requests WHERE id = $1").bind(id).optional().await?;
    found.map(|(org,)| org).filter(|org| viewer.sees_request(org, id)).ok_or(Error::NotFound)
}
