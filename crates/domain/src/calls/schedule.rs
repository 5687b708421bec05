//! Schedules a call: the request becomes `BOOKING` and the call is stored before the API answers.

use nightshift_db::{Json, Timestamp, Tx};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::past::is_past;
use super::request::lock_request_seen;
use super::requests::announce;
use super::{CallMode, CallStatus, ServiceRequest, ServiceRequestStatus};
use crate::actor::Actor;
use crate::audit::Event;
use crate::country::Country;
use crate::field_errors::{FieldErrors, TextLimit};
use crate::ids::{CallId, OrgId, ServiceProviderId, ServiceRequestId};
use crate::people::organizations;
use crate::phone::PhoneNumber;
use crate::viewer::Viewer;
use crate::warning::Warning;
use crate::{Error, Result, audit};

const FIELD: TextLimit = TextLimit { chars_max: 200 };
const NOTES: TextLimit = TextLimit { chars_max: 2_000 };
/// Limit of the numeric suffix that makes an execution id unique within its millisecond.
const SUFFIX_MAX: u32 = 1_000;

/// A call to be made. Missing fields are taken from the stored request and service provider.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NewCall {
    #[schema(required = true, nullable = false)]
    pub service_request_id: Option<String>,
    #[schema(required = true, nullable = false)]
    pub provider_id: Option<String>,
    pub provider_name: Option<String>,
    pub provider_phone: Option<String>,
    pub service_description: Option<String>,
    pub preferred_date: Option<String>,
    pub preferred_time: Option<String>,
    pub customer_name: Option<String>,
    pub customer_phone: Option<String>,
    pub location: Option<String>,
    pub notes: Option<String>,
}

/// A call that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "enqueue what follows: `booking_call.start` for a new call"]
pub struct Scheduled {
    pub call_id: CallId,
    /// The id that callers of the API know.
    pub execution_id: String,
    pub request_id: ServiceRequestId,
    pub org_id: OrgId,
    /// The mode in which the call would start now.
    pub mode: CallMode,
    /// False if the same call was scheduled before.
    pub created: bool,
    /// Unusual values in the request, such as a preferred date in the past.
    pub warnings: Vec<Warning>,
}

#[derive(sqlx::FromRow)]
struct ServiceProvider {
    id: ServiceProviderId,
    name: String,
    phone: PhoneNumber,
}

/// Schedules a call for a request. If the same service provider is being called already, returns that call.
///
/// # Errors
/// [`Error::NotFound`] if the request is unknown or the viewer may not see it, or if the service provider is not one of
/// its recommendations; [`Error::Conflict`] `booking_in_progress` while another service provider is called,
/// `invalid_transition` if the request has ended, `not_ready` if it has no recommendations yet; [`Error::Invalid`] by
/// field.
pub async fn schedule(
    tx: &mut Tx,
    viewer: &Viewer,
    new_call: NewCall,
    mode: CallMode,
    by: &Actor,
    now: Timestamp,
) -> Result<Scheduled> {
    let mut field_errors = FieldErrors::default();
    let request_id = field_errors.required("serviceRequestId", new_call.service_request_id.clone(), FIELD);
    let provider_id = field_errors.required("providerId", new_call.provider_id.clone(), FIELD);
    let (Some(request_id), Some(provider_id)) = (request_id, provider_id) else {
        return Err(field_errors.into_error());
    };
    let request = lock_request_seen(tx, viewer, &request_id.into()).await?;
    let provider: ServiceProvider = tx
        .query("SELECT id, name, phone FROM providers WHERE id = $1 AND service_request_id = $2")
        .bind(provider_id)
        .bind(&request.id)
        .optional()
        .await?
        .ok_or(Error::NotFound)?;
    let past = prefers_past(tx, &request.org_id, &new_call, now).await?;
    let warnings: Vec<Warning> = past.into_iter().collect();
    let country = organizations::country_in(tx, &request.org_id).await?;
    let body = body(new_call, &request, &provider, country, field_errors)?;
    match request.status {
        ServiceRequestStatus::Recommended => {}
        ServiceRequestStatus::Booking => return under_way(tx, &request, &provider, warnings).await,
        ServiceRequestStatus::Completed | ServiceRequestStatus::Cancelled | ServiceRequestStatus::Failed => {
            return Err(Error::conflict("invalid_transition", format!("the request is {}", request.status)));
        }
        _ => return Err(Error::conflict("not_ready", "there are no recommendations yet")),
    }
    let (call_id, execution_id) = insert(tx, &request, &provider, &body, mode, now).await?;
    tx.query(
        "UPDATE service_requests SET status = 'BOOKING', active_booking_call_id = $2, version = version + 1,
                updated_at = $3 WHERE id = $1",
    )
    .bind(&request.id)
    .bind(&call_id)
    .bind(now)
    .execute()
    .await?;
    let data =
        json!({"serviceRequestId": request.id, "status": ServiceRequestStatus::Booking, "executionId": execution_id});
    announce(tx, &request.org_id, &request.id, "request.status", &data, now).await?;
    let entry = crate::audit_entry(Event::BookingCallAccepted, "success", by)
        .org(&request.org_id)
        .correlation(request.id.as_str())
        .metadata(json!({"bookingCallId": call_id, "executionId": execution_id, "providerId": provider.id}));
    audit::record(tx, entry, now).await?;
    let (request_id, org_id) = (request.id, request.org_id);
    Ok(Scheduled { call_id, execution_id, request_id, org_id, mode, created: true, warnings })
}

/// Returns a warning if the preferred date is in the past in the organisation's zone.
///
/// # Errors
/// [`Error::NotFound`] for an unknown organisation.
pub async fn prefers_past(tx: &mut Tx, org: &OrgId, new_call: &NewCall, now: Timestamp) -> Result<Option<Warning>> {
    let Some(date) = new_call.preferred_date.as_deref() else { return Ok(None) };
    let zone = organizations::zone_in(tx, org).await?;
    Ok(is_past(date, new_call.preferred_time.as_deref(), zone, now).then_some(Warning {
        field: "preferredDate",
        code: "preferred_date_in_past",
        message: "preferredDate is in the past",
    }))
}

/// Returns the active call if it is to the same service provider.
async fn under_way(
    tx: &mut Tx,
    request: &ServiceRequest,
    provider: &ServiceProvider,
    warnings: Vec<Warning>,
) -> Result<Scheduled> {
    let active: Option<(CallId, String, ServiceProviderId, CallMode)> = tx
        .query("SELECT id, execution_id, provider_id, mode FROM booking_calls WHERE id = $1")
        .bind(&request.active_booking_call_id)
        .optional()
        .await?;
    match active {
        Some((call_id, execution_id, called, mode)) if called == provider.id => Ok(Scheduled {
            call_id,
            execution_id,
            request_id: request.id.clone(),
            org_id: request.org_id.clone(),
            mode,
            created: false,
            warnings,
        }),
        _ => Err(Error::conflict("booking_in_progress", "another provider is being called for this request")),
    }
}

/// Returns the complete request body of the call.
fn body(
    new_call: NewCall,
    request: &ServiceRequest,
    provider: &ServiceProvider,
    country: Option<Country>,
    mut field_errors: FieldErrors,
) -> Result<Value> {
    if let Some(given) = new_call.provider_phone.as_deref().filter(|given| !given.trim().is_empty())
        && PhoneNumber::read(given, country).ok().as_ref() != Some(&provider.phone)
    {
        field_errors.add("providerPhone", "is not the provider's phone");
    }
    // A form shows the stored phone number masked. If it comes back masked, the user did not change it.
    let stored = request.user_phone.as_ref().map(PhoneNumber::masked);
    let is_new = |given: &&str| !given.trim().is_empty() && Some(given.trim()) != stored.as_deref();
    let customer_phone = match new_call.customer_phone.as_deref().filter(is_new) {
        Some(given) => field_errors.phone("customerPhone", Some(given), country),
        None => request.user_phone.clone(),
    };
    let mut field = |name: &str, given: Option<String>, stored: Option<&String>, limit| {
        field_errors.optional(name, given, limit).or_else(|| stored.cloned())
    };
    let body = json!({
        "serviceRequestId": request.id,
        "providerId": provider.id,
        "providerName": field("providerName", new_call.provider_name, Some(&provider.name), FIELD),
        "providerPhone": provider.phone.e164(),
        "serviceDescription": field("serviceDescription", new_call.service_description, Some(&request.title), FIELD),
        "preferredDate": field("preferredDate", new_call.preferred_date, None, FIELD),
        "preferredTime": field("preferredTime", new_call.preferred_time, None, FIELD),
        "customerName": field("customerName", new_call.customer_name, request.contact_name.as_ref(), FIELD),
        "customerPhone": customer_phone.map(|phone| phone.e164()),
        "location": field("location", new_call.location, request.location.as_ref(), FIELD),
        "notes": field("notes", new_call.notes, None, NOTES),
    });
    field_errors.finish()?;
    Ok(body)
}

async fn insert(
    tx: &mut Tx,
    request: &ServiceRequest,
    provider: &ServiceProvider,
    body: &Value,
    mode: CallMode,
    now: Timestamp,
) -> Result<(CallId, String)> {
    let head: String = provider.id.as_str().chars().take(8).collect();
    let plain = format!("booking-{}-{head}", now.unix_ms());
    for number in 1..SUFFIX_MAX {
        let execution_id = if number == 1 { plain.clone() } else { format!("{plain}-{number}") };
        let id = CallId::new(now);
        let made = tx
            .query(
                "INSERT INTO booking_calls
                     (id, org_id, service_request_id, provider_id, execution_id, mode, original_phone, phone_to_call,
                      request_body, status, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $10)
                 ON CONFLICT (execution_id) DO NOTHING",
            )
            .bind(&id)
            .bind(&request.org_id)
            .bind(&request.id)
            .bind(&provider.id)
            .bind(&execution_id)
            .bind(mode)
            .bind(provider.phone.as_str())
            .bind(Json(body))
            .bind(CallStatus::Accepted)
            .bind(now)
            .execute()
            .await?;
        if made == 1 {
            return Ok((id, execution_id));
        }
    }
    Err(Error::conflict("busy", "too many calls were asked for in the same millisecond; try again"))
}
