//! `/api/v1/service-requests`: requests for an appointment elsewhere, and the providers that may give one.

use std::borrow::Cow;

use axum::Json;
use axum::extract::State;
use nightshift_domain::calls::{self, NewServiceProvider, NewServiceRequest, ServiceRequestStatus, ServiceRequestView};
use nightshift_domain::ids::ServiceRequestId;
use nightshift_domain::page::Limit;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ObjectBuilder};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::bookings::Empty;
use super::data::Data;
use crate::web::answer::{Answer, Created};
use crate::web::auth::{Caller, link};
use crate::web::body::{JsonBody, OptionalJson};
use crate::web::calls::with_polls;
use crate::web::error::Result;
use crate::web::idempotency::Answering;
use crate::web::path::Path;
use crate::web::query::Query;
use crate::web::state::Web;

/// A request that was made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestCreated {
    id: ServiceRequestId,
    status: ServiceRequestStatus,
    /// The link of its page.
    request_url: String,
}

/// `POST /api/v1/service-requests`
pub async fn create(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    JsonBody(new): JsonBody<NewServiceRequest>,
) -> Result<Created<Data<RequestCreated>>> {
    let mut tx = web.db.begin().await?;
    let (id, status) = calls::create(&mut tx, caller.org()?, new, &caller.actor(), web.clock.now()).await?;
    let request_url = link::url(&web.public_url, &web.session_secret, &id);
    answering.commit(&web, tx, Data::of(RequestCreated { id, status, request_url })).await
}

/// What narrows the list.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = ServiceRequestsQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListQuery {
    /// Rows of a page.
    #[serde(default)]
    limit: Limit,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
    status: Option<ServiceRequestStatus>,
}

/// A page of requests.
#[derive(Serialize, ToSchema)]
#[schema(as = ServiceRequestList)]
#[serde(rename_all = "camelCase")]
pub struct Requests {
    service_requests: Vec<ServiceRequestView>,
    next_cursor: Option<String>,
}

/// `GET /api/v1/service-requests`
pub async fn list(
    State(web): State<Web>,
    caller: Caller,
    Query(ListQuery { limit, cursor, status }): Query<ListQuery>,
) -> Result<Json<Data<Requests>>> {
    let page = calls::list(&web.db, &caller.org_viewer()?, status, cursor.as_deref(), limit).await?;
    Ok(Json(Data::of(Requests { service_requests: page.items, next_cursor: page.next_cursor })))
}

/// `GET /api/v1/service-requests/{id}`
pub async fn show(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<ServiceRequestId>,
) -> Result<Json<Data<ServiceRequestView>>> {
    let mut request = calls::view(&web.db, &caller.viewer_of(&web, &id)?, &id).await?;
    count_polls(&web, &mut request).await?;
    Ok(Json(Data::of(request)))
}

async fn count_polls(web: &Web, request: &mut ServiceRequestView) -> Result<()> {
    if let Some(call) = &mut request.active_call {
        with_polls(web, call).await?;
    }
    Ok(())
}

/// One provider, or several.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Providers {
    /// `{"providers": [...]}`
    Several {
        /// They.
        providers: Vec<NewServiceProvider>,
    },
    /// A list.
    List(Vec<NewServiceProvider>),
    /// One by itself.
    One(NewServiceProvider),
}

// Not derived: an object with `providers` is also a provider whose fields are all missing, so the forms overlap.
impl PartialSchema for Providers {
    fn schema() -> RefOr<Schema> {
        let one = Ref::from_schema_name(NewServiceProvider::name());
        let list = ArrayBuilder::new().items(one.clone()).build();
        let several = ObjectBuilder::new().property("providers", list.clone()).required("providers");
        AnyOfBuilder::new().item(several).item(list).item(one).into()
    }
}

impl ToSchema for Providers {
    fn name() -> Cow<'static, str> {
        "NewServiceProviders".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((NewServiceProvider::name().into_owned(), NewServiceProvider::schema()));
        NewServiceProvider::schemas(schemas);
    }
}

/// `POST /api/v1/service-requests/{id}/providers`
pub async fn add_providers(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<ServiceRequestId>,
    JsonBody(providers): JsonBody<Providers>,
) -> Result<Created<Data<RequestNamed>>> {
    let providers = match providers {
        Providers::Several { providers } | Providers::List(providers) => providers,
        Providers::One(provider) => vec![provider],
    };
    let mut tx = web.db.begin().await?;
    calls::add_providers(&mut tx, caller.org()?, &id, providers, &caller.actor(), web.clock.now()).await?;
    answering.commit(&web, tx, Data::of(RequestNamed { id })).await
}

/// The request that was changed.
#[derive(Serialize, ToSchema)]
pub struct RequestNamed {
    id: ServiceRequestId,
}

/// A request that was cancelled.
#[derive(Serialize, ToSchema)]
pub struct RequestCancelled {
    id: ServiceRequestId,
    status: ServiceRequestStatus,
}

/// `POST /api/v1/service-requests/{id}/cancel`
pub async fn cancel(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<ServiceRequestId>,
    OptionalJson(Empty {}): OptionalJson<Empty>,
) -> Result<Answer<Data<RequestCancelled>>> {
    let viewer = caller.viewer_of(&web, &id)?;
    let mut tx = web.db.begin().await?;
    calls::cancel_request(&mut tx, &viewer, &id, &caller.actor(), web.clock.now()).await?;
    answering.commit(&web, tx, Data::of(RequestCancelled { id, status: ServiceRequestStatus::Cancelled })).await
}
