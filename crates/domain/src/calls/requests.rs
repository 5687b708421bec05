//! Making requests, recommending providers, cancelling.

use nightshift_db::{Timestamp, Tx};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::RequestStatus;
use super::request::{lock_request_in, lock_request_seen};
use crate::actor::Actor;
use crate::audit::Event;
use crate::country::Country;
use crate::ids::{OrgId, ProviderId, RequestId};
use crate::people::organizations;
use crate::problems::{Problems, TextLimit};
use crate::viewer::Viewer;
use crate::{Error, Result, audit, stream};

const TITLE: TextLimit = TextLimit { chars_max: 200 };
const SHORT: TextLimit = TextLimit { chars_max: 200 };
const LONG: TextLimit = TextLimit { chars_max: 4_000 };
const PROVIDERS_MAX: usize = 50;

/// A request to be made, as callers send it.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(as = NewServiceRequest)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are those of the API's description")]
pub struct NewRequest {
    #[schema(required = true, nullable = false)]
    pub title: Option<String>,
    #[schema(required = true, nullable = false)]
    pub user_phone: Option<String>,
    pub contact_name: Option<String>,
    pub location: Option<String>,
    #[schema(default = json!([]))]
    pub providers: Vec<NewProvider>,
}

/// A provider to be recommended, as callers send it. Rating and rank may be numbers or words.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(as = NewServiceProvider)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are those of the API's description")]
pub struct NewProvider {
    #[schema(required = true, nullable = false)]
    pub name: Option<String>,
    #[schema(required = true, nullable = false)]
    pub phone: Option<String>,
    pub rating: Option<serde_json::Value>,
    pub rank: Option<serde_json::Value>,
    pub recommendation: Option<String>,
    pub earliest_availability: Option<String>,
}

struct Provider {
    name: String,
    phone: String,
    rating: Option<String>,
    rank: Option<String>,
    recommendation: Option<String>,
    earliest_availability: Option<String>,
}

/// Makes a request; with providers it is ready to be booked.
///
/// # Errors
/// [`Error::Invalid`] by field.
pub async fn create(
    tx: &mut Tx,
    org: &OrgId,
    new: NewRequest,
    by: &Actor,
    now: Timestamp,
) -> Result<(RequestId, RequestStatus)> {
    let country = organizations::country_in(tx, org).await?;
    let mut problems = Problems::default();
    let title = problems.required("title", new.title, TITLE);
    let phone = problems.phone("userPhone", new.user_phone.as_deref(), country);
    let contact = problems.optional("contactName", new.contact_name, SHORT);
    let location = problems.optional("location", new.location, SHORT);
    let providers = check(new.providers, country, &mut problems);
    let (Some(title), Some(phone), true) = (title, phone, problems.is_empty()) else {
        return Err(problems.into_error());
    };
    let status = if providers.is_empty() { RequestStatus::Pending } else { RequestStatus::Recommended };
    let id = RequestId::new(now);
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

/// Recommends providers for a request that is not booked yet. One that stands already is left as it is.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] `invalid_transition`; [`Error::Invalid`] by field.
pub async fn add_providers(
    tx: &mut Tx,
    org: &OrgId,
    id: &RequestId,
    providers: Vec<NewProvider>,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let request = lock_request_in(tx, Some(org), id).await?;
    if matches!(request.status, RequestStatus::Completed | RequestStatus::Cancelled | RequestStatus::Failed) {
        return Err(Error::conflict("invalid_transition", format!("the request is {}", request.status)));
    }
    let mut problems = Problems::default();
    if providers.is_empty() {
        problems.add("providers", "must name at least one provider");
    }
    let country = organizations::country_in(tx, org).await?;
    let providers = check(providers, country, &mut problems);
    problems.finish()?;
    let count = providers.len();
    store(tx, id, providers, now).await?;
    if request.status != RequestStatus::Booking {
        set_status(tx, id, RequestStatus::Recommended, now).await?;
    }
    let entry = crate::audit_entry(Event::ServiceRequestRecommended, "success", by).org(org).correlation(id.as_str());
    audit::record(tx, entry.metadata(json!({"serviceRequestId": id, "providers": count})), now).await
}

/// Ends a request that nobody wants any more. Cancelling it again changes nothing.
///
/// # Errors
/// [`Error::NotFound`], also for one that the viewer may not see; [`Error::Conflict`] `invalid_transition` when it is
/// over or being booked.
pub async fn cancel_request(tx: &mut Tx, viewer: &Viewer, id: &RequestId, by: &Actor, now: Timestamp) -> Result<()> {
    let request = lock_request_seen(tx, viewer, id).await?;
    match request.status {
        RequestStatus::Cancelled => return Ok(()),
        RequestStatus::Completed | RequestStatus::Failed => {
            return Err(Error::conflict("invalid_transition", format!("the request is {}", request.status)));
        }
        RequestStatus::Booking => {
            return Err(Error::conflict("invalid_transition", "a call is under way; cancel the call first"));
        }
        _ => {}
    }
    set_status(tx, id, RequestStatus::Cancelled, now).await?;
    let entry = crate::audit_entry(Event::ServiceRequestCancelled, "success", by);
    let entry = entry.org(&request.org_id).correlation(id.as_str()).metadata(json!({"serviceRequestId": id}));
    audit::record(tx, entry, now).await
}

/// Writes a request's status and tells those who watch it.
pub(super) async fn set_status(tx: &mut Tx, id: &RequestId, status: RequestStatus, now: Timestamp) -> Result<()> {
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

/// Tells those who watch a request.
pub(super) async fn announce(
    tx: &mut Tx,
    org: &OrgId,
    id: &RequestId,
    event: &str,
    data: &serde_json::Value,
    now: Timestamp,
) -> Result<()> {
    stream::append(tx, Some(org), &format!("request:{id}"), event, data, now).await
}

fn check(providers: Vec<NewProvider>, country: Option<Country>, problems: &mut Problems) -> Vec<Provider> {
    if providers.len() > PROVIDERS_MAX {
        problems.add("providers", format!("must name at most {PROVIDERS_MAX} providers"));
        return Vec::new();
    }
    let mut checked = Vec::with_capacity(providers.len());
    for (place, provider) in providers.into_iter().enumerate() {
        let field = |name: &str| format!("providers[{place}].{name}");
        let name = problems.required(&field("name"), provider.name, SHORT);
        let phone = problems.phone(&field("phone"), provider.phone.as_deref(), country);
        let rating = problems.optional(&field("rating"), provider.rating.and_then(words), SHORT);
        let rank = problems.optional(&field("rank"), provider.rank.and_then(words), SHORT);
        let recommendation = problems.optional(&field("recommendation"), provider.recommendation, LONG);
        let earliest = problems.optional(&field("earliestAvailability"), provider.earliest_availability, SHORT);
        if let (Some(name), Some(phone)) = (name, phone) {
            let phone = phone.as_str().to_owned();
            checked.push(Provider { name, phone, rating, rank, recommendation, earliest_availability: earliest });
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

async fn store(tx: &mut Tx, id: &RequestId, providers: Vec<Provider>, now: Timestamp) -> Result<()> {
    for provider in providers {
        tx.query(
            "INSERT INTO providers (id, service_request_id, name, phone, rating, rank, recommendation,
                                    earliest_availability, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
             ON CONFLICT (service_request_id, name, phone) DO NOTHING",
        )
        .bind(ProviderId::new(now))
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
