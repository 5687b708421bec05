//! Creates and cancels service requests, and adds recommended service providers.

use nightshift_db::{Timestamp, Tx};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::ServiceRequestStatus;
use super::request::{lock_request_in, lock_request_seen};
use crate::actor::Actor;
use crate::audit::Event;
use crate::country::Country;
use crate::field_errors::{FieldErrors, TextLimit};
use crate::ids::{OrgId, ServiceProviderId, ServiceRequestId};
use crate::people::organizations;
use crate::viewer::Viewer;
use crate::{Error, Result, audit, stream};

const TITLE: TextLimit = TextLimit { chars_max: 200 };
const SHORT: TextLimit = TextLimit { chars_max: 200 };
const LONG: TextLimit = TextLimit { chars_max: 4_000 };
const PROVIDERS_MAX: usize = 50;

/// A service request to be created.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(as = NewServiceRequest)]
#[serde(rename_all = "camelCase", default)]
pub struct NewServiceRequest {
    #[schema(required = true, nullable = false)]
    pub title: Option<String>,
    #[schema(required = true, nullable = false)]
    pub user_phone: Option<String>,
    pub contact_name: Option<String>,
    pub location: Option<String>,
    #[schema(default = json!([]))]
    pub providers: Vec<NewServiceProvider>,
}

/// A service provider to be recommended. Rating and rank may be numbers or words.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(as = NewServiceProvider)]
#[serde(rename_all = "camelCase", default)]
pub struct NewServiceProvider {
    #[schema(required = true, nullable = false)]
    pub name: Option<String>,
    #[schema(required = true, nullable = false)]
    pub phone: Option<String>,
    pub rating: Option<serde_json::Value>,
    pub rank: Option<serde_json::Value>,
    pub recommendation: Option<String>,
    pub earliest_availability: Option<String>,
}

struct ServiceProvider {
    name: String,
    phone: String,
    rating: Option<String>,
    rank: Option<String>,
    recommendation: Option<String>,
    earliest_availability: Option<String>,
}

/// Creates a request. With service providers it is `RECOMMENDED`, otherwise `PENDING`.
///
/// # Errors
/// [`Error::Invalid`] by field.
pub async fn create(
    tx: &mut Tx,
    org: &OrgId,
    new: NewServiceRequest,
    by: &Actor,
    now: Timestamp,
) -> Result<(ServiceRequestId, ServiceRequestStatus)> {
    let country = organizations::country_in(tx, org).await?;
    let mut field_errors = FieldErrors::default();
    let title = field_errors.required("title", new.title, TITLE);
    let phone = field_errors.phone("userPhone", new.user_phone.as_deref(), country);
    let contact = field_errors.optional("contactName", new.contact_name, SHORT);
    let location = field_errors.optional("location", new.location, SHORT);
    let providers = check(new.providers, country, &mut field_errors);
    let (Some(title), Some(phone), true) = (title, phone, field_errors.is_empty()) else {
        return Err(field_errors.into_error());
    };
    let status = if providers.is_empty() { ServiceRequestStatus::Pending } else { ServiceRequestStatus::Recommended };
    let id = ServiceRequestId::new(now);
    tx.query(
        "INSERT INTO service_requests
             (id, org_id, title, user_phone, contact_name, location, status, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
    )
    .bind(&id)
    .bind(org)
    .bind(title)
    .bind(phone.as_str())
    .bind(contact)
    .bind(location)
    .bind(status)
    .bind(now)
    .execute()
    .await?;
    store(tx, &id, providers, now).await?;
    let entry = crate::audit_entry(Event::ServiceRequestCreated, "success", by).org(org).correlation(id.as_str());
    audit::record(tx, entry.metadata(json!({"serviceRequestId": id, "status": status})), now).await?;
    Ok((id, status))
}

/// Adds recommended service providers to a request that has not ended. A provider that the request has already stays
/// unchanged.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] `invalid_transition` if the request has ended; [`Error::Invalid`] by field.
pub async fn add_providers(
    tx: &mut Tx,
    org: &OrgId,
    id: &ServiceRequestId,
    providers: Vec<NewServiceProvider>,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let request = lock_request_in(tx, Some(org), id).await?;
    if matches!(
        request.status,
        ServiceRequestStatus::Completed | ServiceRequestStatus::Cancelled | ServiceRequestStatus::Failed
    ) {
        return Err(Error::conflict("invalid_transition", format!("the request is {}", request.status)));
    }
    let mut field_errors = FieldErrors::default();
    if providers.is_empty() {
        field_errors.add("providers", "names at least one provider");
    }
    let country = organizations::country_in(tx, org).await?;
    let providers = check(providers, country, &mut field_errors);
    field_errors.finish()?;
    let count = providers.len();
    store(tx, id, providers, now).await?;
    if request.status != ServiceRequestStatus::Booking {
        set_status(tx, id, ServiceRequestStatus::Recommended, now).await?;
    }
    let entry = crate::audit_entry(Event::ServiceRequestRecommended, "success", by).org(org).correlation(id.as_str());
    audit::record(tx, entry.metadata(json!({"serviceRequestId": id, "providers": count})), now).await
}

/// Cancels a request. Cancelling it again changes nothing.
///
/// # Errors
/// [`Error::NotFound`] if there is no such request or the viewer may not see it; [`Error::Conflict`]
/// `invalid_transition` if the request has ended or a call for it is active.
pub async fn cancel_request(
    tx: &mut Tx,
    viewer: &Viewer,
    id: &ServiceRequestId,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let request = lock_request_seen(tx, viewer, id).await?;
    match request.status {
        ServiceRequestStatus::Cancelled => return Ok(()),
        ServiceRequestStatus::Completed | ServiceRequestStatus::Failed => {
            return Err(Error::conflict("invalid_transition", format!("the request is {}", request.status)));
        }
        ServiceRequestStatus::Booking => {
            return Err(Error::conflict("invalid_transition", "a call is under way; cancel the call first"));
        }
        _ => {}
    }
    set_status(tx, id, ServiceRequestStatus::Cancelled, now).await?;
    let entry = crate::audit_entry(Event::ServiceRequestCancelled, "success", by);
    let entry = entry.org(&request.org_id).correlation(id.as_str()).metadata(json!({"serviceRequestId": id}));
    audit::record(tx, entry, now).await
}

/// Stores a request's status and appends a live update for the pages that show the request.
pub(super) async fn set_status(
    tx: &mut Tx,
    id: &ServiceRequestId,
    status: ServiceRequestStatus,
    now: Timestamp,
) -> Result<()> {
    let (org,): (OrgId,) = tx
        .query(
            "UPDATE service_requests SET status = $2, version = version + 1, updated_at = $3 WHERE id = $1
             RETURNING org_id",
        )
        .bind(id)
        .bind(status)
        .bind(now)
        .one()
        .await?;
    announce(tx, &org, id, "request.status", &json!({"serviceRequestId": id, "status": status}), now).await
}

/// Appends a live update for the pages that show the request.
pub(super) async fn announce(
    tx: &mut Tx,
    org: &OrgId,
    id: &ServiceRequestId,
    event: &str,
    data: &serde_json::Value,
    now: Timestamp,
) -> Result<()> {
    stream::append(tx, Some(org), &format!("request:{id}"), event, data, now).await
}

fn check(
    providers: Vec<NewServiceProvider>,
    country: Option<Country>,
    field_errors: &mut FieldErrors,
) -> Vec<ServiceProvider> {
    if providers.len() > PROVIDERS_MAX {
        field_errors.add("providers", format!("names at most {PROVIDERS_MAX} providers"));
        return Vec::new();
    }
    let mut checked = Vec::with_capacity(providers.len());
    for (place, provider) in providers.into_iter().enumerate() {
        let field = |name: &str| format!("providers[{place}].{name}");
        let name = field_errors.required(&field("name"), provider.name, SHORT);
        let phone = field_errors.phone(&field("phone"), provider.phone.as_deref(), country);
        let rating = field_errors.optional(&field("rating"), provider.rating.and_then(words), SHORT);
        let rank = field_errors.optional(&field("rank"), provider.rank.and_then(words), SHORT);
        let recommendation = field_errors.optional(&field("recommendation"), provider.recommendation, LONG);
        let earliest = field_errors.optional(&field("earliestAvailability"), provider.earliest_availability, SHORT);
        if let (Some(name), Some(phone)) = (name, phone) {
            let phone = phone.as_str().to_owned();
            checked.push(ServiceProvider {
                name,
                phone,
                rating,
                rank,
                recommendation,
                earliest_availability: earliest,
            });
        }
    }
    checked
}

fn words(value: serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

async fn store(tx: &mut Tx, id: &ServiceRequestId, providers: Vec<ServiceProvider>, now: Timestamp) -> Result<()> {
    for provider in providers {
        tx.query(
            "INSERT INTO providers (id, service_request_id, name, phone, rating, rank, recommendation,
                                    earliest_availability, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
             ON CONFLICT (service_request_id, name, phone) DO NOTHING",
        )
        .bind(ServiceProviderId::new(now))
        .bind(id)
        .bind(provider.name)
        .bind(provider.phone)
        .bind(provider.rating)
        .bind(provider.rank)
        .bind(provider.recommendation)
        .bind(provider.earliest_availability)
        .bind(now)
        .execute()
        .await?;
    }
    Ok(())
}
