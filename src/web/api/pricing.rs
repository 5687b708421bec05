//! `/api/pricing-rules`, and the prices of bookings.

use axum::Json;
use axum::extract::State;
use nightshift_domain::bookings::{self, BookingView};
use nightshift_domain::ids::BookingId;
use nightshift_domain::pricing::{self, Pricing, Rule, RuleDraft, Snapshot};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::web::answer::{Answer, Created};
use crate::web::auth::Caller;
use crate::web::body::JsonBody;
use crate::web::error::{ApiError, Result};
use crate::web::idempotency::Answering;
use crate::web::path::Path;
use crate::web::state::Web;

const REASON_CHARS_MAX: usize = 4_000;

/// All versions of all price rules.
#[derive(Serialize, ToSchema)]
#[schema(as = PriceRuleList)]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    rules: Vec<Rule>,
}

/// A price rule that was added.
#[derive(Serialize, ToSchema)]
#[schema(as = PriceRuleAdded)]
#[serde(rename_all = "camelCase")]
pub struct Added {
    rule: Rule,
}

/// A booking with its new price.
#[derive(Serialize, ToSchema)]
#[schema(as = BookingRepriced)]
#[serde(rename_all = "camelCase")]
pub struct Repriced {
    snapshot: Snapshot,
    booking: BookingView,
}

/// `GET /api/pricing-rules`
pub async fn rules(State(web): State<Web>, caller: Caller) -> Result<Json<Rules>> {
    Ok(Json(Rules { rules: pricing::list(&web.db, &caller.org_viewer()?).await? }))
}

/// `POST /api/pricing-rules`
pub async fn add_rule(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    JsonBody(draft): JsonBody<RuleDraft>,
) -> Result<Created<Added>> {
    let (org, now) = (caller.org()?, web.clock.now());
    let new = draft.check()?;
    let mut tx = web.db.begin().await?;
    let rule = pricing::add(&mut tx, org, new, &caller.actor(), now).await?;
    answering.commit(&web, tx, Added { rule }).await
}

/// `GET /api/bookings/{id}/pricing`
pub async fn of_booking(State(web): State<Web>, caller: Caller, Path(id): Path<BookingId>) -> Result<Json<Pricing>> {
    let thresholds = web.settings.reconciliation.thresholds;
    Ok(Json(pricing::pricing(&web.db, &caller.org_viewer()?, &id, thresholds).await?))
}

/// The reason to price a booking again.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = RepriceReason)]
pub struct Reason {
    /// 1 to 4000 characters.
    #[schema(required = true, nullable = false)]
    reason: Option<String>,
}

/// `POST /api/bookings/{id}/reprice`
pub async fn reprice(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<BookingId>,
    JsonBody(Reason { reason }): JsonBody<Reason>,
) -> Result<Answer<Repriced>> {
    let (org, now) = (caller.org()?, web.clock.now());
    let reason = reason.unwrap_or_default().trim().to_owned();
    if reason.is_empty() || reason.contains('\0') || reason.chars().count() > REASON_CHARS_MAX {
        return Err(ApiError::invalid("reason", format!("is required, at most {REASON_CHARS_MAX} characters")));
    }
    let mut tx = web.db.begin().await?;
    let repriced = pricing::reprice(&mut tx, org, &id, &reason, &caller.actor(), now).await?;
    let booking = bookings::view_in(&mut tx, &caller.viewer(), &id).await?;
    answering.commit(&web, tx, Repriced { snapshot: repriced.snapshot, booking }).await
}
