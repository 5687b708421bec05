//! What a sitter's answers amount to. Pure: the same links and offers give the same figures.

use std::time::Duration;

use nightshift_db::Timestamp;
use serde::Serialize;

use super::days::Period;

/// How long a client's text may wait for its answer. A later answer counts as none.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(24 * 3600);

/// What became of a client's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The sitter to whom the text was routed answered after so many seconds.
    BySitter(i64),
    /// The owner, or a sitter who was not yet responsible when the text arrived.
    ByAnother,
    /// Nobody answered in time.
    Missed,
    /// Nobody has answered yet.
    Awaited,
}

/// A client's text that was routed to a sitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// The carrier's time of the text.
    pub required_at: Timestamp,
    pub answer: Answer,
}

/// What became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferEnd {
    Accepted,
    Declined,
    /// Not answered until it expired.
    Expired,
    /// Still pending, withdrawn, or taken by another sitter. It says nothing about this one.
    Open,
}

/// An offer to a sitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    pub offered_at: Timestamp,
    pub end: OfferEnd,
    /// The time until the answer. `None` if there was none.
    pub response_seconds: Option<i64>,
}

/// The figures of one sitter over a period.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Means are rounded half up. `None` without an answer.
    pub avg_response_seconds: Option<i64>,
    /// The mean of the middle two, rounded half up, if their number is even.
    pub median_response_seconds: Option<i64>,
    /// By nearest rank: the shortest time within which at least 90 % of the answers were given.
    pub p90_response_seconds: Option<i64>,
    /// Texts that the sitter answered, or that nobody answered in time.
    pub responses_required: i64,
    /// Texts that the sitter answered.
    pub responses_given: i64,
    pub offers_accepted: i64,
    pub offers_declined: i64,
    pub offers_expired: i64,
    pub avg_offer_response_seconds: Option<i64>,
}

impl Figures {
    /// Computes the figures of the texts and the offers that arrived in a period, as of `now`.
    ///
    /// A text counts on the day on which the carrier received it, an offer on the day on which it was made. A text that
    /// waits for its answer counts once [`ANSWER_WITHIN`] has passed. A text that another person answered does not
    /// count: the client has an answer, and it says nothing about the sitter.
    #[must_use]
    pub fn of(period: &Period, exchanges: &[Exchange], offers: &[Offered], now: Timestamp) -> Self {
        let mut figures = Self::default();
        let mut seconds = Vec::new();
        for exchange in exchanges.iter().filter(|exchange| period.contains(exchange.required_at)) {
            match exchange.answer {
                Answer::BySitter(after) => {
                    figures.responses_required += 1;
                    figures.responses_given += 1;
                    seconds.push(after);
                }
                Answer::Missed => figures.responses_required += 1,
                Answer::Awaited if overdue(exchange.required_at, now) => figures.responses_required += 1,
                Answer::Awaited | Answer::ByAnother => {}
            }
        }
        let mut offer_seconds = Vec::new();
        for offer in offers.iter().filter(|offer| period.contains(offer.offered_at)) {
            match offer.end {
                OfferEnd::Accepted => figures.offers_accepted += 1,
                OfferEnd::Declined => figures.offers_declined += 1,
                OfferEnd::Expired => figures.offers_expired += 1,
                OfferEnd::Open => continue,
            }
            offer_seconds.extend(offer.response_seconds);
        }
        seconds.sort_unstable();
        figures.avg_response_seconds = mean(&seconds);
        figures.median_response_seconds = median(&seconds);
        figures.p90_response_seconds = p90(&seconds);
        figures.avg_offer_response_seconds = mean(&offer_seconds);
        figures
    }

    /// Returns the number of offers that the sitter answered or let expire.
    #[must_use]
    pub fn offers_received(&self) -> i64 {
        self.offers_accepted + self.offers_declined + self.offers_expired
    }

    /// Returns the number of texts and offers that the figures rest on.
    #[must_use]
    pub fn sample(&self) -> i64 {
        self.responses_required + self.offers_received()
    }

    /// Returns the share of the required responses that were given, or `None` if none was required.
    #[must_use]
    pub fn response_rate(&self) -> Option<f64> {
        share(self.responses_given, self.responses_required)
    }

    /// Returns the share of the received offers that were accepted, or `None` if there was none.
    #[must_use]
    pub fn offer_accept_rate(&self) -> Option<f64> {
        share(self.offers_accepted, self.offers_received())
    }

    /// Returns the share of the received offers that were declined, or `None` if there was none.
    #[must_use]
    pub fn offer_decline_rate(&self) -> Option<f64> {
        share(self.offers_declined, self.offers_received())
    }

    /// Returns the share of the received offers that expired, or `None` if there was none.
    #[must_use]
    pub fn offer_expire_rate(&self) -> Option<f64> {
        share(self.offers_expired, self.offers_received())
    }
}

/// Whether a text has waited for its answer for so long that none counts any more.
#[must_use]
pub fn overdue(required_at: Timestamp, now: Timestamp) -> bool {
    required_at + ANSWER_WITHIN <= now
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn mean(values: &[i64]) -> Option<i64> {
    rounded(values.iter().sum(), i64::try_from(values.len()).ok()?)
}

/// Returns the median of sorted values.
fn median(sorted: &[i64]) -> Option<i64> {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        return sorted.get(middle).copied();
    }
    rounded(sorted.get(middle.checked_sub(1)?)? + sorted.get(middle)?, 2)
}

/// Returns the 90th percentile of sorted values by nearest rank.
fn p90(sorted: &[i64]) -> Option<i64> {
    let rank = (sorted.len() * 9).div_ceil(10);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// Divides a sum that is not negative and rounds half up.
fn rounded(sum: i64, count: i64) -> Option<i64> {
    (count > 0).then(|| (2 * sum + count) / (2 * count))
}

#[cfg(test)]
mod tests;
