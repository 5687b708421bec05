//! `/api/messages/numbers`

use axum::Json;
use axum::extract::State;
use nightshift_domain::ids::{NumberId, SitterId};
use nightshift_domain::messaging::numbers::{
    self, NewNumber, Number, NumberClass, NumberPatch, NumberStatus, NumberView, SmsCarrier,
};
use nightshift_domain::page::{Limit, page_of};
use nightshift_jobs::{Enqueuer, thread};
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
#[schema(as = NumbersQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListQuery {
    /// The maximum number of rows on the page.
    #[serde(default)]
    limit: Limit,
    /// The `nextCursor` of the previous page.
    cursor: Option<String>,
    number_class: Option<NumberClass>,
    status: Option<NumberStatus>,
}

/// A page of the phone numbers of the organisation.
#[derive(Serialize, ToSchema)]
#[schema(as = NumberList)]
#[serde(rename_all = "camelCase")]
pub struct Numbers {
    numbers: Vec<NumberView>,
    next_cursor: Option<String>,
}

/// `GET /api/messages/numbers`
pub async fn list(
    State(web): State<Web>,
    caller: Caller,
    Query(ListQuery { limit, cursor, number_class: class, status }): Query<ListQuery>,
) -> Result<Json<Numbers>> {
    let numbers = numbers::list(&web.db, &caller.viewer(), class, status).await?;
    let page = page_of(numbers, cursor.as_deref(), limit, |number| number.id.to_string())?;
    Ok(Json(Numbers { numbers: page.items, next_cursor: page.next_cursor }))
}

/// `POST /api/messages/numbers`
pub async fn add(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    JsonBody(new): JsonBody<NewNumber>,
) -> Result<Created<Changed>> {
    let (org, enqueuer) = (caller.org()?, Enqueuer::of_request(&web.queue));
    let mut tx = web.db.begin().await?;
    let number = thread::add_number(&enqueuer, &mut tx, org, &new, &caller.actor()).await?;
    answering.commit(&web, tx, Changed { number: number.into() }).await
}

/// `PATCH /api/messages/numbers/{id}`
pub async fn change(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<NumberId>,
    JsonBody(patch): JsonBody<NumberPatch>,
) -> Result<Answer<Changed>> {
    let (org, enqueuer) = (caller.org()?, Enqueuer::of_request(&web.queue));
    let mut tx = web.db.begin().await?;
    let number = thread::change_number(&enqueuer, &mut tx, org, &id, &patch, &caller.actor()).await?;
    answering.commit(&web, tx, Changed { number: number.into() }).await
}

/// A number that was added or changed.
#[derive(Serialize, ToSchema)]
#[schema(as = NumberChanged)]
pub struct Changed {
    number: Entry,
}

/// A number without its usage.
#[derive(Serialize, ToSchema)]
#[schema(as = NumberEntry)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    id: NumberId,
    e164: String,
    number_class: NumberClass,
    status: NumberStatus,
    provider: SmsCarrier,
    assigned_sitter_id: Option<SitterId>,
}

impl From<Number> for Entry {
    fn from(number: Number) -> Self {
        Self {
            id: number.id,
            e164: number.e164.e164(),
            number_class: number.number_class,
            status: number.status,
            provider: number.provider,
            assigned_sitter_id: number.assigned_sitter_id,
        }
    }
}
