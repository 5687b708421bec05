//! Offers a booking to sitters.

use std::time::Duration;

use nightshift_db::{Engine, Timestamp, Tx};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::assign::assign;
use super::held::{Held, hold_with_thread};
use super::lifecycle::{Step, free_code, outcome};
use super::offer::{Offer, offer_columns};
use super::record::{announce_new, end, no_longer_unfilled, record, release};
use super::status::OfferStatus;
use crate::actor::Actor;
use crate::audit::Event;
use crate::automations;
use crate::ids::{BookingId, OfferId, OrgId, SitterId};
use crate::messaging::threads::Thread;
use crate::people::sitters;
use crate::{Error, Result};

/// The most sitters to whom one request offers a booking.
const SITTERS_MAX: usize = 100;
/// The longest life of an offer in minutes: a week.
const MINUTES_MAX: i64 = 7 * 24 * 60;

/// To whom to offer a booking.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = NewOffers)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    /// Active sitters of the organisation, 1 to 100. A sitter whom the booking is offered to already keeps that offer.
    pub sitter_ids: Vec<SitterId>,
    /// How long the sitters may answer, 1 minute to a week, and not longer than until the booking starts. By default
    /// what the settings say.
    #[serde(default)]
    pub expires_in_minutes: Option<i64>,
}

/// The offers of a booking that were asked for.
#[derive(Debug, Clone)]
#[must_use = "enqueue what follows: `offer.send` and `offer.expire` for each new offer"]
pub struct Made {
    /// Whether each offer is new.
    pub offers: Vec<(Offer, bool)>,
    /// Sitters with an overdue offer that expired now, whose figures change.
    pub expired: Vec<SitterId>,
}

/// Offers a booking to sitters, for `default_life` if the draft says nothing else. An offer of the same booking to the
/// same sitter that is pending already is returned instead of a new one. A sitter who is no longer active loses the
/// booking, and an acceptance by somebody who has it no longer is released.
///
/// # Errors
/// [`Error::NotFound`] if the organisation has no such booking; [`Error::Conflict`] `booking_taken` if it has a sitter who
/// is active, `booking_started`, `invalid_transition` if it is final; [`Error::Invalid`] by field.
pub async fn create(
    tx: &mut Tx,
    org: &OrgId,
    booking: &BookingId,
    draft: &Draft,
    default_life: Duration,
    by: &Actor,
    now: Timestamp,
) -> Result<Made> {
    let life = life(draft, default_life)?;
    // Sorted, so that no two transactions wait for each other's sitters, and before the booking.
    let mut sitters = draft.sitter_ids.clone();
    sitters.sort();
    sitters.dedup();
    let all_active = hold_sitters(tx, org, &sitters).await?;
    let (mut held, thread) = hold_with_thread(tx, booking).await?;
    if held.booking.org_id != *org {
        return Err(Error::NotFound);
    }
    may_be_offered(tx, &held, now).await?;
    if !all_active {
        return Err(Error::invalid("sitterIds", "must be active sitters of this organisation"));
    }
    vacate(tx, &mut held, thread.as_ref(), by, now).await?;
    let expires_at = (now + life).min(held.booking.start_at);
    let (mut offers, mut expired) = (Vec::new(), Vec::new());
    for sitter in &sitters {
        let standing =
            held.offers.iter().find(|offer| offer.sitter_id == *sitter && offer.status == OfferStatus::Pending);
        match standing.cloned() {
            Some(standing) if standing.expires_at > now => {
                offers.push((standing, false));
                continue;
            }
            Some(overdue) => {
                end(tx, &mut held, &overdue.id, OfferStatus::Expired, None, by, now).await?;
                expired.push(sitter.clone());
            }
            None => {}
        }
        let offer = insert(tx, &held, sitter, expires_at, now).await?;
        let facts = json!({"offerId": offer.id, "code": offer.code, "expiresAt": offer.expires_at});
        record(tx, &held.booking, &offer, Event::OfferCreated, "success", facts, by, now).await?;
        announce_new(tx, &offer, now).await?;
        offers.push((offer, true));
    }
    no_longer_unfilled(tx, booking, "it was offered again", now).await?;
    Ok(Made { offers, expired })
}

fn life(draft: &Draft, default_life: Duration) -> Result<Duration> {
    if draft.sitter_ids.is_empty() || draft.sitter_ids.len() > SITTERS_MAX {
        return Err(Error::invalid("sitterIds", format!("must name 1 to {SITTERS_MAX} sitters")));
    }
    match draft.expires_in_minutes {
        None => Ok(default_life),
        Some(minutes @ 1..=MINUTES_MAX) => Ok(Duration::from_secs(minutes.unsigned_abs() * 60)),
        Some(_) => Err(Error::invalid("expiresInMinutes", format!("must be 1 to {MINUTES_MAX}"))),
    }
}

async fn may_be_offered(tx: &mut Tx, held: &Held, now: Timestamp) -> Result<()> {
    let booking = &held.booking;
    if let Some(sitter) = &booking.sitter_id
        && sitters::is_active(tx, sitter).await?
    {
        return Err(Error::conflict("booking_taken", "the booking has a sitter"));
    }
    if booking.status.is_final() {
        let message = format!("a booking that is {} can no longer be offered", booking.status);
        return Err(Error::conflict("invalid_transition", message));
    }
    if booking.start_at <= now {
        return Err(Error::conflict("booking_started", "the booking has started"));
    }
    Ok(())
}

/// Takes the booking from a sitter who is no longer active, and releases the acceptance of whoever had it before.
async fn vacate(tx: &mut Tx, held: &mut Held, thread: Option<&Thread>, by: &Actor, now: Timestamp) -> Result<()> {
    if held.booking.sitter_id.is_some() {
        assign(tx, held, thread, None, by, now).await?;
        automations::take_back_assignments(tx, &held.booking, by, now).await?;
    }
    for offer in held.offers.clone() {
        for (id, _) in outcome(&held.scene(now, now), &offer, Step::Release)? {
            release(tx, held, &id, by, now).await?;
        }
    }
    Ok(())
}

/// Returns whether all are active sitters of the organisation, and locks their rows: the codes of a sitter's offers are
/// chosen one after the other, and none is made while a sitter leaves.
async fn hold_sitters(tx: &mut Tx, org: &OrgId, sitters: &[SitterId]) -> Result<bool> {
    let sql = match tx.engine() {
        Engine::Postgres => "SELECT active FROM sitters WHERE id = $1 AND org_id = $2 FOR NO KEY UPDATE",
        Engine::Sqlite => "SELECT active FROM sitters WHERE id = $1 AND org_id = $2",
    };
    for sitter in sitters {
        let active: Option<(bool,)> = tx.query(sql).bind(sitter).bind(org).optional().await?;
        if active != Some((true,)) {
            return Ok(false);
        }
    }
    Ok(true)
}

const INSERT: &str = concat!(
    "INSERT INTO offer_events
         (id, org_id, sitter_id, booking_id, code, offered_at, expires_at, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $6, $6) RETURNING ",
    offer_columns!("")
);

async fn insert(tx: &mut Tx, held: &Held, sitter: &SitterId, expires_at: Timestamp, now: Timestamp) -> Result<Offer> {
    let used: Vec<(i64,)> = tx
        .query("SELECT code FROM offer_events WHERE sitter_id = $1 AND status = 'pending'")
        .bind(sitter)
        .all()
        .await?;
    let used: Vec<i64> = used.into_iter().map(|(code,)| code).collect();
    let offer = tx
        .query(INSERT)
        .bind(OfferId::new(now))
        .bind(&held.booking.org_id)
        .bind(sitter)
        .bind(&held.booking.id)
        .bind(free_code(&used))
        .bind(now)
        .bind(expires_at)
        .one()
        .await?;
    Ok(offer)
}
