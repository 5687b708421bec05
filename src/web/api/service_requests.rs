//! `/api/v1/service-requests`: requests for an appointment elsewhere, and the providers that may give one.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use nightshift_domain::calls::{self, NewProvider, NewRequest, RequestView};
use nightshift_domain::ids::RequestId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::calls::with_polls;
use super::params::Params;
use crate::web::auth::{Caller, link};
use crate::web::body::{JsonBody, OptionalJson};
use crate::web::error::Result;
use crate::web::idempotency::Answering;
use crate::web::state::Web;

/// The envelope of version 1.
pub(super) fn data(data: Value) -> Value {
    json!({"success": true, "data": data})
}

/// `POST /api/v1/service-requests`
pub async fn create(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    JsonBody(new): JsonBody<NewRequest>,
) -> Result<Response> {
    let mut tx = web.db.begin().await?;
    let (id, status) = calls::create(&mut tx, caller.org()?, new, &caller.actor(), web.clock.now()).await?;
    let url = link::url(&web.public_url, &web.session_secret, &id);
    let body = data(json!({"id": id, "status": status, "requestUrl": url}));
    answering.commit(&web, tx, StatusCode::CREATED, body).await
}

/// `GET /api/v1/service-requests`
pub async fn list(State(web): State<Web>, caller: Caller, mut params: Params) -> Result<Json<Value>> {
    let (limit, cursor) = params.page();
    let status = params.word("status");
    params.finish()?;
    let page = calls::list(&web.db, &caller.org_viewer()?, status, cursor.as_deref(), limit).await?;
    Ok(Json(data(json!({"serviceRequests": page.items, "nextCursor": page.next_cursor}))))
}

/// `GET /api/v1/service-requests/{id}`
pub async fn show(State(web): State<Web>, caller: Caller, Path(id): Path<RequestId>) -> Result<Json<Value>> {
    let mut request = calls::view(&web.db, &caller.viewer_of(&web, &id)?, &id).await?;
    count_polls(&web, &mut request).await?;
    Ok(Json(data(json!(request))))
}

async fn count_polls(web: &Web, request: &mut RequestView) -> Result<()> {
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
        providers: Vec<NewProvider>,
    },
    /// A list.
    List(Vec<NewProvider>),
    /// One by itself.
    One(NewProvider),
}

/// `POST /api/v1/service-requests/{id}/providers`
pub async fn add_providers(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<RequestId>,
    JsonBody(providers): JsonBody<Providers>,
) -> Result<Response> {
    let providers = match providers {
        Providers::Several { providers } | Providers::List(providers) => providers,
        Providers::One(provider) => vec![provider],
    };
    let mut tx = web.db.begin().await?;
    calls::add_providers(&mut tx, caller.org()?, &id, providers, &caller.actor(), web.clock.now()).await?;
    let body = data(json!({"id": id}));
    answering.commit(&web, tx, StatusCode::CREATED, body).await
}

/// No body, or `{}`.
#[derive(Default, Deserialize)]
pub struct Empty {}

/// `POST /api/v1/service-requests/{id}/cancel`
pub async fn cancel(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<RequestId>,
    OptionalJson(Empty {}): OptionalJson<Empty>,
) -> Result<Response> {
    let viewer = caller.viewer_of(&web, &id)?;
    let mut tx = web.db.begin().await?;
    calls::cancel_request(&mut tx, &viewer, &id, &caller.actor(), web.clock.now()).await?;
    answering.commit(&web, tx, StatusCode::OK, data(json!({"id": id, "status": "CANCELLED"}))).await
}
