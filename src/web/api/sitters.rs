//! `/api/sitters`

use axum::Json;
use axum::extract::State;
use nightshift_domain::Error as DomainError;
use nightshift_domain::audience::Audience;
use nightshift_domain::ids::SitterId;
use nightshift_domain::metrics::{self, Days, SitterMetrics};
use nightshift_domain::page::{Limit, page_of};
use nightshift_domain::people::sitters::{self, NewSitter, SitterEntry, SitterPatch, SitterView};
use nightshift_jobs::Enqueuer;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::web::answer::{Answer, Created};
use crate::web::auth::Caller;
use crate::web::body::JsonBody;
use crate::web::error::Result;
use crate::web::idempotency::Answering;
use crate::web::path::Path;
use crate::web::query::Query;
use crate::web::state::Web;

/// The filters of a list.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = SittersQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListQuery {
    /// The maximum number of rows on the page.
    #[serde(default)]
    limit: Limit,
    /// The `nextCursor` of the previous page.
    cursor: Option<String>,
    /// Only active sitters, or only those who are not.
    active: Option<bool>,
}

/// A page of the sitters of the organisation.
#[derive(Serialize, ToSchema)]
#[schema(as = SitterList)]
#[serde(rename_all = "camelCase")]
pub struct Sitters {
    sitters: Vec<SitterView>,
    next_cursor: Option<String>,
}

/// `GET /api/sitters`
pub async fn list(
    State(web): State<Web>,
    caller: Caller,
    Query(ListQuery { limit, cursor, active }): Query<ListQuery>,
) -> Result<Json<Sitters>> {
    let sitters = sitters::list(&web.db, &caller.org_viewer()?, active).await?;
    let page = page_of(sitters, cursor.as_deref(), limit, |row| row.sitter.id.to_string())?;
    Ok(Json(Sitters { sitters: page.items, next_cursor: page.next_cursor }))
}

/// Which days.
#[derive(Deserialize, IntoParams, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricsQuery {
    /// The number of days up to today: 7, or 28, from which the tier is computed. 28 if it is left out.
    days: Option<i64>,
}

/// `GET /api/sitters/{id}/metrics`
pub async fn metrics(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<SitterId>,
    Query(MetricsQuery { days }): Query<MetricsQuery>,
) -> Result<Json<SitterMetrics>> {
    let days = days.map_or(Some(Days::TwentyEight), |days| Days::ALL.into_iter().find(|span| span.count() == days));
    let days = days.ok_or_else(|| DomainError::invalid("days", "must be 7 or 28"))?;
    Ok(Json(metrics::of_sitter(&web.db, &caller.org_viewer()?, &id, days).await?))
}

/// A sitter who was added or changed.
#[derive(Serialize, ToSchema)]
#[schema(as = SitterChanged)]
pub struct Changed {
    sitter: SitterEntry,
}

/// `POST /api/sitters`
pub async fn add(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    JsonBody(new): JsonBody<NewSitter>,
) -> Result<Created<Changed>> {
    let mut tx = web.db.begin().await?;
    let sitter = sitters::add(&mut tx, caller.org()?, new, &caller.actor(), web.clock.now()).await?;
    answering.commit(&web, tx, Changed { sitter: sitter.into_entry(Audience::Owner) }).await
}

/// `PATCH /api/sitters/{id}`
pub async fn change(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<SitterId>,
    JsonBody(patch): JsonBody<SitterPatch>,
) -> Result<Answer<Changed>> {
    let (org, enqueuer) = (caller.org()?, Enqueuer::of_request(&web.queue));
    let mut tx = web.db.begin().await?;
    let patched = nightshift_jobs::metrics::change_sitter(&enqueuer, &mut tx, org, &id, patch, &caller.actor()).await?;
    answering.commit(&web, tx, Changed { sitter: patched.sitter.into_entry(Audience::Owner) }).await
}
