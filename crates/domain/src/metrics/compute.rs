//! Computes the figures of a sitter and the tier that follows from them, and stores both.
//!
//! This is the only writer of `sitters.tier`. It locks the sitter's row, so two computations of one sitter follow each
//! other, and the later one reads everything that was committed before it.

use nightshift_db::{Engine, Json, Timestamp, Tx, new_id};
use serde_json::json;

use super::days::{Days, Period, start_of_today};
use super::figures::{Answer, Exchange, Figures, OfferEnd, Offered};
use super::tier::{self, Tier};
use crate::actor::Actor;
use crate::audit::{self, Entry, Event};
use crate::ids::{OrgId, SitterId};
use crate::people::organizations;
use crate::{Error, Result};

/// What a computation found.
#[derive(Debug, Clone, PartialEq)]
pub struct Computed {
    pub seven_days: Figures,
    pub twenty_eight_days: Figures,
    pub tier: Tier,
    /// The tier before, if it has changed.
    pub tier_before: Option<Tier>,
}

/// Computes a sitter's figures of the 7 and the 28 days up to today, by the organisation's clock, and the tier. Stores
/// the figures in place of those of the same days. A change of the tier is recorded in its history and in the audit
/// log.
///
/// # Errors
/// [`Error::NotFound`] if there is no such sitter.
pub async fn compute(tx: &mut Tx, sitter: &SitterId, by: &Actor, now: Timestamp) -> Result<Computed> {
    let (org, current) = lock(tx, sitter).await?;
    let zone = organizations::zone_in(tx, &org).await?;
    let [week, month] = Days::ALL.map(|days| Period::ending_today(days, now, zone));
    let exchanges = exchanges(tx, sitter, &month).await?;
    let offers = offers(tx, sitter, &month, now).await?;
    let [seven_days, twenty_eight_days] = [&week, &month].map(|period| Figures::of(period, &exchanges, &offers, now));
    for (period, figures) in [(&week, &seven_days), (&month, &twenty_eight_days)] {
        store(tx, &org, sitter, period, figures, now).await?;
    }
    let earned = tier::earned(&twenty_eight_days);
    let fell_today = fell_since(tx, sitter, start_of_today(now, zone)).await?;
    let tier = tier::next(current, earned, fell_today);
    tx.query("UPDATE sitters SET tier = $2, tier_computed_at = $3 WHERE id = $1")
        .bind(sitter)
        .bind(tier)
        .bind(now)
        .execute()
        .await?;
    let tier_before = (tier != current).then_some(current);
    if let Some(from) = tier_before {
        record_change(tx, &org, sitter, (from, tier, earned), &twenty_eight_days, by, now).await?;
    }
    Ok(Computed { seven_days, twenty_eight_days, tier, tier_before })
}

async fn lock(tx: &mut Tx, sitter: &SitterId) -> Result<(OrgId, Tier)> {
    let sql = match tx.engine() {
        Engine::Postgres => "SELECT org_id, tier FROM sitters WHERE id = $1 FOR NO KEY UPDATE",
        Engine::Sqlite => "SELECT org_id, tier FROM sitters WHERE id = $1",
    };
    tx.query(sql).bind(sitter).optional().await?.ok_or(Error::NotFound)
}

#[derive(sqlx::FromRow)]
struct LinkRow {
    required_at: Timestamp,
    response_seconds: Option<i64>,
    status: String,
    /// Whether the answer is by the sitter to whom the text was routed.
    by_sitter: bool,
}

impl LinkRow {
    fn exchange(&self) -> Exchange {
        let answer = match self.status.as_str() {
            "answered" if self.by_sitter => Answer::BySitter(self.response_seconds.unwrap_or(0)),
            "answered" => Answer::ByAnother,
            "expired" => Answer::Missed,
            _ => Answer::Awaited,
        };
        Exchange { required_at: self.required_at, answer }
    }
}

/// Index: `message_response_links_by_sitter`.
async fn exchanges(tx: &mut Tx, sitter: &SitterId, period: &Period) -> Result<Vec<Exchange>> {
    let rows: Vec<LinkRow> = tx
        .query(
            "SELECT l.required_at, l.response_seconds, l.status,
                    COALESCE(l.responder_type = 'sitter' AND m.actor_id = l.sitter_id, FALSE) AS by_sitter
             FROM message_response_links l LEFT JOIN message_events m ON m.id = l.response_event_id
             WHERE l.sitter_id = $1 AND l.required_at >= $2 AND l.required_at < $3",
        )
        .bind(sitter)
        .bind(period.from)
        .bind(period.to)
        .all()
        .await?;
    Ok(rows.iter().map(LinkRow::exchange).collect())
}

#[derive(sqlx::FromRow)]
struct OfferRow {
    offered_at: Timestamp,
    expires_at: Timestamp,
    status: String,
    accepted_at: Option<Timestamp>,
    response_seconds: Option<i64>,
}

impl OfferRow {
    fn offered(&self, now: Timestamp) -> Offered {
        let end = match self.status.as_str() {
            // Also if the sitter was taken off the booking later.
            _ if self.accepted_at.is_some() => OfferEnd::Accepted,
            "accepted" => OfferEnd::Accepted,
            "declined" => OfferEnd::Declined,
            "expired" => OfferEnd::Expired,
            // Nobody can accept it any more, although the job that says so has not run.
            "pending" if self.expires_at <= now => OfferEnd::Expired,
            _ => OfferEnd::Open,
        };
        Offered { offered_at: self.offered_at, end, response_seconds: self.response_seconds }
    }
}

/// Index: `offer_events_by_sitter`.
async fn offers(tx: &mut Tx, sitter: &SitterId, period: &Period, now: Timestamp) -> Result<Vec<Offered>> {
    let rows: Vec<OfferRow> = tx
        .query(
            "SELECT offered_at, expires_at, status, accepted_at, response_seconds FROM offer_events
             WHERE sitter_id = $1 AND offered_at >= $2 AND offered_at < $3",
        )
        .bind(sitter)
        .bind(period.from)
        .bind(period.to)
        .all()
        .await?;
    Ok(rows.iter().map(|row| row.offered(now)).collect())
}

async fn store(
    tx: &mut Tx,
    org: &OrgId,
    sitter: &SitterId,
    period: &Period,
    figures: &Figures,
    now: Timestamp,
) -> Result<()> {
    tx.query(
        "INSERT INTO sitter_metrics_windows
             (id, org_id, sitter_id, window_days, window_end_date, avg_response_seconds, median_response_seconds,
              p90_response_seconds, response_rate, responses_required, responses_given, offer_accept_rate,
              offer_decline_rate, offer_expire_rate, avg_offer_response_seconds, offers_received, computed_at,
              created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17, $17)
         ON CONFLICT (sitter_id, window_days, window_end_date) DO UPDATE
         SET avg_response_seconds = excluded.avg_response_seconds,
             median_response_seconds = excluded.median_response_seconds,
             p90_response_seconds = excluded.p90_response_seconds,
             response_rate = excluded.response_rate,
             responses_required = excluded.responses_required,
             responses_given = excluded.responses_given,
             offer_accept_rate = excluded.offer_accept_rate,
             offer_decline_rate = excluded.offer_decline_rate,
             offer_expire_rate = excluded.offer_expire_rate,
             avg_offer_response_seconds = excluded.avg_offer_response_seconds,
             offers_received = excluded.offers_received,
             computed_at = excluded.computed_at,
             updated_at = excluded.updated_at",
    )
    .bind(new_id(now))
    .bind(org)
    .bind(sitter)
    .bind(period.days.count())
    .bind(period.end_date.to_string())
    .bind(figures.avg_response_seconds)
    .bind(figures.median_response_seconds)
    .bind(figures.p90_response_seconds)
    .bind(figures.response_rate())
    .bind(figures.responses_required)
    .bind(figures.responses_given)
    .bind(figures.offer_accept_rate())
    .bind(figures.offer_decline_rate())
    .bind(figures.offer_expire_rate())
    .bind(figures.avg_offer_response_seconds)
    .bind(figures.offers_received())
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// Whether the tier has made a step down since then.
async fn fell_since(tx: &mut Tx, sitter: &SitterId, since: Timestamp) -> Result<bool> {
    let changes: Vec<(Tier, Tier)> = tx
        .query("SELECT from_tier, to_tier FROM sitter_tier_history WHERE sitter_id = $1 AND computed_at >= $2")
        .bind(sitter)
        .bind(since)
        .all()
        .await?;
    Ok(changes.into_iter().any(|(from, to)| tier::is_step_down(from, to)))
}

async fn record_change(
    tx: &mut Tx,
    org: &OrgId,
    sitter: &SitterId,
    (from, to, earned): (Tier, Tier, Tier),
    figures: &Figures,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let reason = tier::reason(from, to, earned);
    tx.query(
        "INSERT INTO sitter_tier_history
             (id, org_id, sitter_id, from_tier, to_tier, metrics, reason, computed_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
    )
    .bind(new_id(now))
    .bind(org)
    .bind(sitter)
    .bind(from)
    .bind(to)
    .bind(Json(json!(figures)))
    .bind(&reason)
    .bind(now)
    .execute()
    .await?;
    let facts = json!({"from": from, "to": to, "reason": reason, "sample": figures.sample()});
    audit::record(tx, Entry::new(Event::SitterTierChanged, "success", by).org(org).sitter(sitter).metadata(facts), now)
        .await
}

/// Lists the active sitters of an organisation, for the nightly computation.
pub async fn active_sitters(tx: &mut Tx, org: &OrgId) -> Result<Vec<SitterId>> {
    let sitters: Vec<(SitterId,)> =
        tx.query("SELECT id FROM sitters WHERE org_id = $1 AND active ORDER BY id").bind(org).all().await?;
    Ok(sitters.into_iter().map(|(sitter,)| sitter).collect())
}
