//! `/api/clients`

use axum::Json;
use axum::extract::State;
use nightshift_domain::ids::ClientId;
use nightshift_domain::page::Limit;
use nightshift_domain::people::client_list::{self, ClientView, Filter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::path::Path;
use crate::web::query::Query;
use crate::web::state::Web;

/// The filters of a list.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = ClientsQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListQuery {
    /// The maximum number of rows on the page.
    #[serde(default)]
    limit: Limit,
    /// The `nextCursor` of the previous page.
    cursor: Option<String>,
    /// Only clients whose name or phone number contains this text. A number may be typed in any usual form.
    q: Option<String>,
    /// Whether the client wants no texts.
    opted_out: Option<bool>,
}

/// A page of clients.
#[derive(Serialize, ToSchema)]
#[schema(as = ClientList)]
#[serde(rename_all = "camelCase")]
pub struct Clients {
    clients: Vec<ClientView>,
    next_cursor: Option<String>,
}

/// `GET /api/clients`
pub async fn list(State(web): State<Web>, caller: Caller, Query(query): Query<ListQuery>) -> Result<Json<Clients>> {
    let ListQuery { limit, cursor, q, opted_out } = query;
    let filter = Filter { q, opted_out };
    let page = client_list::list(&web.db, &caller.org_viewer()?, &filter, cursor.as_deref(), limit).await?;
    Ok(Json(Clients { clients: page.items, next_cursor: page.next_cursor }))
}

/// A client.
#[derive(Serialize, ToSchema)]
#[schema(as = ClientShown)]
pub struct Shown {
    client: ClientView,
}

/// `GET /api/clients/{id}`
pub async fn show(State(web): State<Web>, caller: Caller, Path(id): Path<ClientId>) -> Result<Json<Shown>> {
    let client = client_list::view(&web.db, &caller.org_viewer()?, &id).await?;
    Ok(Json(Shown { client }))
}
