//! `/api/offers`, and the answers of sitters.

use axum::Json;
use axum::extract::State;
use nightshift_domain::Error;
use nightshift_domain::bookings::{self, BookingView};
use nightshift_domain::ids::{BookingId, OfferId, SitterId};
use nightshift_domain::offers::{self, Answer as OfferAnswer, Answered, Draft, Filter, OfferStatus, OfferView, Via};
use nightshift_domain::page::Limit;
use nightshift_jobs::{Enqueuer, offer};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::bookings::Empty;
use crate::web::answer::{Answer, Created};
use crate::web::auth::{Caller, Principal};
use crate::web::body::{JsonBody, OptionalJson};
use crate::web::error::Result;
use crate::web::idempotency::Answering;
use crate::web::path::{Path, PathPair};
use crate::web::query::Query;
use crate::web::state::Web;

/// The offers of a booking that were asked for, new or not.
#[derive(Serialize, ToSchema)]
#[schema(as = OffersMade)]
pub struct Made {
    offers: Vec<OfferView>,
}

/// `POST /api/bookings/{id}/offers`
pub async fn create(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<BookingId>,
    JsonBody(draft): JsonBody<Draft>,
) -> Result<Created<Made>> {
    let (org, viewer, enqueuer) = (caller.org()?, caller.viewer(), Enqueuer::of_request(&web.queue));
    let life = web.settings.messaging.offer_ttl;
    let mut tx = web.db.begin().await?;
    let made = offer::create(&enqueuer, &mut tx, org, &id, &draft, life, &caller.actor()).await?;
    let mut shown = Vec::with_capacity(made.len());
    for offer in made {
        shown.push(offers::view_in(&mut tx, &viewer, &offer.id).await?);
    }
    answering.commit(&web, tx, Made { offers: shown }).await
}

/// The filters of a list.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = OffersQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListQuery {
    /// The maximum number of rows on the page.
    #[serde(default)]
    limit: Limit,
    /// The `nextCursor` of the previous page.
    cursor: Option<String>,
    status: Option<OfferStatus>,
    booking_id: Option<BookingId>,
    /// Ignored for sitters, who get their own offers.
    sitter_id: Option<SitterId>,
}

/// A page of offers.
#[derive(Serialize, ToSchema)]
#[schema(as = OfferList)]
#[serde(rename_all = "camelCase")]
pub struct Offers {
    offers: Vec<OfferView>,
    next_cursor: Option<String>,
}

/// `GET /api/offers`
pub async fn list(State(web): State<Web>, caller: Caller, Query(query): Query<ListQuery>) -> Result<Json<Offers>> {
    let ListQuery { limit, cursor, status, booking_id, sitter_id } = query;
    let filter = Filter { status, booking_id, sitter_id };
    let page = offers::list(&web.db, &caller.org_viewer()?, &filter, cursor.as_deref(), limit).await?;
    Ok(Json(Offers { offers: page.items, next_cursor: page.next_cursor }))
}

/// An offer that was accepted, with its booking.
#[derive(Serialize, ToSchema)]
#[schema(as = OfferAccepted)]
pub struct Accepted {
    offer: OfferView,
    booking: BookingView,
}

/// `POST /api/sitter/{id}/bookings/{bookingId}/accept`
pub async fn accept(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    PathPair(sitter, booking): PathPair<SitterId, BookingId>,
    OptionalJson(Empty {}): OptionalJson<Empty>,
) -> Result<Answer<Accepted>> {
    let mut tx = web.db.begin().await?;
    let answered = answer(&web, &mut tx, &caller, (&sitter, &booking), true, None).await?;
    let offer = offers::view_in(&mut tx, &caller.viewer(), &answered.offer.id).await?;
    let booking = bookings::view_in(&mut tx, &caller.viewer(), &answered.booking.id).await?;
    answering.commit(&web, tx, Accepted { offer, booking }).await
}

/// Why a sitter declines.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = Declination)]
pub struct Declination {
    /// At most 4000 characters.
    reason: Option<String>,
}

/// An offer that was changed.
#[derive(Serialize, ToSchema)]
#[schema(as = OfferChanged)]
pub struct Changed {
    offer: OfferView,
}

/// `POST /api/sitter/{id}/bookings/{bookingId}/decline`
pub async fn decline(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    PathPair(sitter, booking): PathPair<SitterId, BookingId>,
    OptionalJson(Declination { reason }): OptionalJson<Declination>,
) -> Result<Answer<Changed>> {
    let mut tx = web.db.begin().await?;
    let answered = answer(&web, &mut tx, &caller, (&sitter, &booking), false, reason.as_deref()).await?;
    let offer = offers::view_in(&mut tx, &caller.viewer(), &answered.offer.id).await?;
    answering.commit(&web, tx, Changed { offer }).await
}

/// `POST /api/offers/{id}/withdraw`
pub async fn withdraw(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<OfferId>,
    OptionalJson(Empty {}): OptionalJson<Empty>,
) -> Result<Answer<Changed>> {
    let (org, enqueuer) = (caller.org()?, Enqueuer::of_request(&web.queue));
    let mut tx = web.db.begin().await?;
    let withdrawn = offer::withdraw(&enqueuer, &mut tx, org, &id, &caller.actor()).await?;
    let offer = offers::view_in(&mut tx, &caller.viewer(), &withdrawn.id).await?;
    answering.commit(&web, tx, Changed { offer }).await
}

/// Answers an offer. A sitter answers for nobody else.
async fn answer(
    web: &Web,
    tx: &mut nightshift_db::Tx,
    caller: &Caller,
    (sitter, booking): (&SitterId, &BookingId),
    accepts: bool,
    reason: Option<&str>,
) -> Result<Answered> {
    let (org, viewer, enqueuer) = (caller.org()?, caller.viewer(), Enqueuer::of_request(&web.queue));
    if viewer.sitter_id().is_some_and(|own| own != sitter) {
        return Err(Error::NotFound.into());
    }
    let via = if matches!(caller.principal(), Principal::User { .. }) { Via::Web } else { Via::Api };
    let given = OfferAnswer { accepts, offer: None, via, reason, at: web.clock.now() };
    Ok(offer::answer(&enqueuer, tx, org, sitter, booking, given, &caller.actor()).await?)
}
