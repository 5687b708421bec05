//! `/api/sitter/dashboard`

use axum::Json;
use axum::extract::State;
use nightshift_domain::ids::SitterId;
use nightshift_domain::people::dashboard::{self, Dashboard};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::web::auth::{Caller, Principal};
use crate::web::error::Result;
use crate::web::query::{self, Query};
use crate::web::state::Web;

/// The sitter whose dashboard is shown.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = DashboardQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DashboardQuery {
    /// The sitter. Only accepted where authentication is off.
    sitter_id: Option<SitterId>,
}

/// `GET /api/sitter/dashboard`: that of the calling sitter. Where authentication is off, that of the named sitter, or
/// of the oldest one.
pub async fn show(
    State(web): State<Web>,
    caller: Caller,
    Query(DashboardQuery { sitter_id: mut named }): Query<DashboardQuery>,
) -> Result<Json<Dashboard>> {
    let viewer = caller.org_viewer()?;
    match caller.principal() {
        Principal::Local { .. } if named.is_none() => {
            named = Some(dashboard::any_sitter(&web.db, caller.org()?).await?);
        }
        Principal::Local { .. } => {}
        _ if named.is_some() => {
            return Err(query::refused([("sitterId".to_owned(), query::UNKNOWN.to_owned())].into()));
        }
        _ => {}
    }
    Ok(Json(dashboard::dashboard(&web.db, &viewer, named.as_ref(), web.clock.now()).await?))
}
