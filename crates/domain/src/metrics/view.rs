//! A sitter's figures as the API shows them: those that were computed last.

use std::collections::HashMap;

use nightshift_db::{Db, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::days::Days;
use super::tier::Tier;
use crate::ids::{OrgId, SitterId};
use crate::list::List;
use crate::viewer::Viewer;
use crate::{Error, Result};

/// What a sitter's answers amount to over some days. Rates are from 0 to 1.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow, Serialize, ToSchema)]
#[schema(as = Metrics)]
#[serde(rename_all = "camelCase")]
pub struct MetricsView {
    /// The number of days, 7 or 28.
    #[sqlx(rename = "window_days")]
    pub days: i64,
    /// The last of the days, by the organisation's clock.
    #[schema(format = Date)]
    pub window_end_date: String,
    /// The mean time from a client's text to the sitter's answer. Null without an answer.
    pub avg_response_seconds: Option<i64>,
    pub median_response_seconds: Option<i64>,
    /// The time within which 90 % of the answers were given.
    pub p90_response_seconds: Option<i64>,
    /// The share of the required responses that were given. Null if none was required.
    pub response_rate: Option<f64>,
    /// Clients' texts that the sitter answered, or that nobody answered within 24 hours.
    pub responses_required: i64,
    /// Clients' texts that the sitter answered.
    pub responses_given: i64,
    /// The share of the received offers that the sitter accepted. Null without an offer.
    pub offer_accept_rate: Option<f64>,
    pub offer_decline_rate: Option<f64>,
    pub offer_expire_rate: Option<f64>,
    /// The mean time from an offer to the sitter's answer. Null without an answer.
    pub avg_offer_response_seconds: Option<i64>,
    /// Offers that the sitter answered or let expire.
    pub offers_received: i64,
    pub computed_at: Timestamp,
}

/// A sitter's figures, with the sitter.
#[derive(Debug, sqlx::FromRow)]
struct MetricsRow {
    sitter_id: SitterId,
    #[sqlx(flatten)]
    metrics: MetricsView,
}

/// Selects each sitter's last figures of some days. Index: the unique one of `sitter_metrics_windows`.
macro_rules! last_of {
    ($days:literal) => {
        concat!(
            "SELECT w.sitter_id, w.window_days, w.window_end_date, w.avg_response_seconds, w.median_response_seconds,
                    w.p90_response_seconds, w.response_rate, w.responses_required, w.responses_given,
                    w.offer_accept_rate, w.offer_decline_rate, w.offer_expire_rate, w.avg_offer_response_seconds,
                    w.offers_received, w.computed_at
             FROM sitters s JOIN sitter_metrics_windows w
               ON w.sitter_id = s.id AND w.window_days = ",
            $days,
            " AND w.window_end_date = (SELECT MAX(x.window_end_date) FROM sitter_metrics_windows x
                                       WHERE x.sitter_id = s.id AND x.window_days = ",
            $days,
            ")"
        )
    };
}

const fn head(days: Days) -> &'static str {
    match days {
        Days::Seven => last_of!("7"),
        Days::TwentyEight => last_of!("28"),
    }
}

/// Returns the last figures of the sitters of the viewer's organisation.
///
/// # Errors
/// [`Forbidden`](Error::Forbidden) for sitters.
pub(crate) async fn latest(db: &Db, viewer: &Viewer, days: Days) -> Result<HashMap<SitterId, MetricsView>> {
    let rows: Vec<MetricsRow> =
        List::new(db, head(days), viewer.org_scope("s.org_id = $1")?).end("ORDER BY s.id").all().await?;
    Ok(rows.into_iter().map(|row| (row.sitter_id, row.metrics)).collect())
}

/// The tier of a sitter and the figures of some days.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SitterMetrics {
    pub sitter_id: SitterId,
    pub tier: Tier,
    /// When the tier was computed. Null if it never was.
    pub tier_computed_at: Option<Timestamp>,
    /// Null if none were computed yet.
    pub metrics: Option<MetricsView>,
}

/// Returns a sitter's tier and last figures of these days.
///
/// # Errors
/// [`Error::NotFound`] if the viewer's organisation has no such sitter, or the viewer is another sitter;
/// [`Error::Forbidden`] for viewers without an organisation.
pub async fn of_sitter(db: &Db, viewer: &Viewer, sitter: &SitterId, days: Days) -> Result<SitterMetrics> {
    let (org, own) = viewer.booking_rows()?;
    if own.is_some_and(|own| own != sitter) {
        return Err(Error::NotFound);
    }
    let found: Option<(OrgId, Tier, Option<Timestamp>)> =
        db.read("SELECT org_id, tier, tier_computed_at FROM sitters WHERE id = $1").bind(sitter).optional().await?;
    let (_, tier, tier_computed_at) =
        found.filter(|(of, ..)| org.is_none_or(|org| org == of)).ok_or(Error::NotFound)?;
    let row: Option<MetricsRow> = db.select(head(days)).only("s.id = $1", (sitter,)).end("").optional().await?;
    Ok(SitterMetrics { sitter_id: sitter.clone(), tier, tier_computed_at, metrics: row.map(|row| row.metrics) })
}
