//! A sitter's answer by text: which offer it is about, and what to reply.

use std::time::Duration;

use nightshift_db::{Timestamp, Tx};

use super::answer::{Answer, Answered, answer};
use super::command::Command;
use super::lifecycle::Refusal;
use super::offer::{Offer, offer_columns};
use super::status::OfferStatus;
use super::status::Via;
use super::words::{self, Subject};
use crate::Result;
use crate::actor::Actor;
use crate::bookings::Status;
use crate::ids::{OrgId, SitterId};
use crate::people::organizations;

/// How long an ended offer is remembered: a text that comes later is about no offer.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);
/// No offer lives longer than a week, so none that is remembered is older than this.
const OLDEST: Duration = Duration::from_secs(15 * 24 * 3600);

/// What to reply to a sitter's text.
#[derive(Debug, Clone)]
#[must_use = "send the reply, and enqueue what follows from the answer"]
pub struct Reply {
    pub text: String,
    /// The offer that the text answered.
    pub answered: Option<Answered>,
}

/// An offer of a sitter with what its booking is about.
#[derive(Debug, Clone, sqlx::FromRow)]
struct Known {
    #[sqlx(flatten)]
    offer: Offer,
    service: String,
    start_at: Timestamp,
    booking_status: Status,
    booking_sitter_id: Option<SitterId>,
    /// Whether the booking has begun by now, so that it is given to nobody.
    booking_has_begun: bool,
}

impl Known {
    /// Whether a text that was sent `at` may answer it, also if it has expired since.
    fn is_open(&self, at: Timestamp) -> bool {
        self.was_open(at)
            && !self.booking_has_begun
            && !self.booking_status.is_final()
            && self.booking_sitter_id.as_ref().is_none_or(|sitter| *sitter == self.offer.sitter_id)
    }

    /// Whether it could be answered `at`.
    fn was_open(&self, at: Timestamp) -> bool {
        matches!(self.offer.status, OfferStatus::Pending | OfferStatus::Expired)
            && self.offer.offered_at <= at
            && self.offer.expires_at > at
    }

    /// Whether another sitter has the booking, although this one's text of `at` was in time.
    fn is_lost(&self, at: Timestamp) -> bool {
        let has_other = self.booking_sitter_id.as_ref().is_some_and(|sitter| *sitter != self.offer.sitter_id);
        self.offer.status == OfferStatus::Superseded || (self.was_open(at) && has_other)
    }

    /// When it ended. One that is not open ended when its time was over, or is about to be ended.
    fn ended_at(&self) -> Timestamp {
        self.offer.ended_at.unwrap_or(self.offer.expires_at)
    }

    /// Whether the same answer was given before and still holds.
    fn was_answered_so(&self, accepts: bool) -> bool {
        let holds = self.booking_status != Status::Cancelled;
        match self.offer.status {
            OfferStatus::Accepted => accepts && holds && self.booking_sitter_id.as_ref() == Some(&self.offer.sitter_id),
            OfferStatus::Declined => !accepts,
            _ => false,
        }
    }

    fn subject(&self) -> Subject {
        Subject { code: self.offer.code, service: self.service.clone(), start_at: self.start_at }
    }
}

/// What a text is about.
#[derive(Debug)]
enum Meaning<'a> {
    /// This offer, which is open or was answered in the same way.
    Answer(&'a Known),
    /// Several open offers, or none with the code that the text names.
    Which(Option<i64>),
    Nothing,
    Expired,
    Taken,
}

/// Decides what a text is about, among the offers that are open or ended a short time ago.
fn meaning(known: &[Known], command: Command, at: Timestamp) -> Meaning<'_> {
    let mut open = known.iter().filter(|known| known.is_open(at));
    let ended = known.iter().filter(|known| !known.is_open(at));
    let is_meant = |known: &&Known| command.code.is_none_or(|code| known.offer.code == code);
    match (open.next(), open.next(), command.code) {
        (Some(only), None, None) => return Meaning::Answer(only),
        (Some(_), Some(_), None) => return Meaning::Which(None),
        _ => {}
    }
    if let Some(named) = known.iter().filter(|known| known.is_open(at)).find(is_meant) {
        return Meaning::Answer(named);
    }
    let last = ended.filter(is_meant).max_by_key(|known| (known.ended_at(), known.offer.id.clone()));
    let some_are_open = known.iter().any(|known| known.is_open(at));
    match (last, command.code) {
        (Some(last), _) if last.was_answered_so(command.accepts) => Meaning::Answer(last),
        (Some(last), _) if last.is_lost(at) => Meaning::Taken,
        (Some(last), _) if !some_are_open && has_expired(last, at) => Meaning::Expired,
        (_, Some(code)) => Meaning::Which(Some(code)),
        (_, None) => Meaning::Nothing,
    }
}

fn has_expired(known: &Known, at: Timestamp) -> bool {
    match known.offer.status {
        OfferStatus::Expired => true,
        OfferStatus::Pending => known.offer.expires_at <= at || known.booking_has_begun,
        _ => false,
    }
}

/// Answers an offer by a sitter's text, which the carrier received `at`, and returns what to reply.
///
/// # Errors
/// [`Error::NotFound`](crate::Error::NotFound) if there is no such organisation.
pub async fn reply_to(
    tx: &mut Tx,
    org: &OrgId,
    sitter: &SitterId,
    command: Command,
    at: Timestamp,
    by: &Actor,
    now: Timestamp,
) -> Result<Reply> {
    let at = at.min(now);
    let zone = organizations::zone_in(tx, org).await?;
    let known = known(tx, org, sitter, at, now).await?;
    // Another text would come too late for those that have expired since.
    let listed = known.iter().filter(|known| known.is_open(at) && known.offer.expires_at > now);
    let open: Vec<Subject> = listed.map(Known::subject).collect();
    let says = |text: &str| Reply { text: text.to_owned(), answered: None };
    let meant = match meaning(&known, command, at) {
        Meaning::Answer(known) => known,
        Meaning::Which(Some(code)) => return Ok(says(&words::no_such(code, &open, zone))),
        Meaning::Which(None) if open.is_empty() => return Ok(says(words::EXPIRED)),
        Meaning::Which(None) => return Ok(says(&words::list(&open, zone))),
        Meaning::Nothing => return Ok(says(words::NONE)),
        Meaning::Expired => return Ok(says(words::EXPIRED)),
        Meaning::Taken => return Ok(says(words::TAKEN)),
    };
    let given = Answer { accepts: command.accepts, offer: Some(&meant.offer.id), via: Via::Sms, reason: None, at };
    let answered = match answer(tx, org, sitter, &meant.offer.booking_id, given, by, now).await? {
        Ok(answered) => answered,
        // It ended between the look at the offers and the lock of the booking.
        Err(Refusal::Taken) => return Ok(says(words::TAKEN)),
        Err(Refusal::NotPending) if has_expired(meant, now) => return Ok(says(words::EXPIRED)),
        Err(Refusal::NotPending) => return Ok(says(words::NONE)),
    };
    let booking = &answered.booking;
    let subject = Subject { code: answered.offer.code, service: booking.service.clone(), start_at: booking.start_at };
    Ok(Reply { text: words::confirmation(command.accepts, &subject, zone), answered: Some(answered) })
}

const KNOWN: &str = concat!(
    "SELECT ",
    offer_columns!("o."),
    ", b.service, b.start_at, b.status AS booking_status, b.sitter_id AS booking_sitter_id,
       b.start_at <= $6 AS booking_has_begun
     FROM offer_events o JOIN bookings b ON b.id = o.booking_id
     WHERE o.sitter_id = $1 AND o.org_id = $2 AND o.offered_at > $3 AND (o.ended_at IS NULL OR o.ended_at > $4)
       AND o.offered_at <= $5
     ORDER BY o.code, o.id"
);

/// Returns the sitter's offers that are pending or ended a short time ago, in the order of their codes. A text that was
/// sent `at` is about none that was made later, however late it is taken in.
async fn known(tx: &mut Tx, org: &OrgId, sitter: &SitterId, at: Timestamp, now: Timestamp) -> Result<Vec<Known>> {
    Ok(tx
        .query(KNOWN)
        .bind(sitter)
        .bind(org)
        .bind(now - OLDEST)
        .bind(now - REMEMBERED)
        .bind(at)
        .bind(now)
        .all()
        .await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{BookingId, OfferId};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_ms(seconds * 1000)
    }

    fn known(code: i64, status: OfferStatus, ended: Option<i64>) -> Known {
        let sitter = SitterId::from("me");
        let holder = match status {
            OfferStatus::Accepted => Some(sitter.clone()),
            OfferStatus::Superseded => Some(SitterId::from("other")),
            _ => None,
        };
        Known {
            offer: Offer {
                id: OfferId::from(format!("offer-{code}-{}", ended.unwrap_or(0))),
                org_id: OrgId::from("org"),
                sitter_id: sitter,
                booking_id: BookingId::from(format!("booking-{code}")),
                code,
                status,
                offered_at: at(0),
                expires_at: at(100),
                accepted_at: None,
                declined_at: None,
                ended_at: ended.map(at),
                decline_reason: None,
                answered_via: None,
                response_seconds: None,
            },
            service: "dog_walking".to_owned(),
            start_at: at(1000),
            booking_status: Status::Pending,
            booking_sitter_id: holder,
            booking_has_begun: false,
        }
    }

    fn told(known: &[Known], accepts: bool, code: Option<i64>, seconds: i64) -> String {
        match meaning(known, Command { accepts, code }, at(seconds)) {
            Meaning::Answer(known) => format!("answer {}", known.offer.id),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_text_is_about_the_only_open_offer_or_the_one_it_names() {
        use OfferStatus::{Accepted, Declined, Expired, Pending, Superseded, Withdrawn};
        let (one, two) = (known(1, Pending, None), known(2, Pending, None));
        assert_eq!(told(std::slice::from_ref(&one), true, None, 50), "answer offer-1-0");
        assert_eq!(told(std::slice::from_ref(&one), false, Some(1), 50), "answer offer-1-0");
        assert_eq!(told(&[one.clone(), two.clone()], true, None, 50), "Which(None)");
        assert_eq!(told(&[one.clone(), two.clone()], true, Some(2), 50), "answer offer-2-0");
        assert_eq!(told(&[one.clone(), two.clone()], true, Some(3), 50), "Which(Some(3))");
        assert_eq!(told(&[], true, None, 50), "Nothing");
        assert_eq!(told(&[], true, Some(4), 50), "Which(Some(4))");
        assert_eq!(told(&[one.clone(), two], true, None, 150), "Expired", "nobody has ended them yet");
        assert_eq!(told(&[known(1, Expired, Some(100))], false, None, 150), "Expired");
        assert_eq!(told(&[known(1, Superseded, Some(60))], true, None, 70), "Taken");
        assert_eq!(told(&[known(1, Withdrawn, Some(60))], true, None, 70), "Nothing");
        assert_eq!(told(&[known(1, Accepted, Some(60))], true, None, 70), "answer offer-1-60");
        assert_eq!(told(&[known(1, Accepted, Some(60))], false, None, 70), "Nothing");
        assert_eq!(told(&[known(1, Declined, Some(60))], false, None, 70), "answer offer-1-60");
        assert_eq!(told(&[known(1, Declined, Some(60))], true, None, 70), "Nothing");
        // What ended last counts, and an open offer before what ended.
        let ended = [known(1, Expired, Some(100)), known(1, Declined, Some(120))];
        assert_eq!(told(&ended, true, None, 150), "Nothing");
        assert_eq!(told(&ended, false, None, 150), "answer offer-1-120");
        // What expired since may still be answered by a text that was in time.
        let expired = known(1, Expired, Some(100));
        assert_eq!(told(std::slice::from_ref(&expired), true, None, 99), "answer offer-1-100");
        assert_eq!(told(std::slice::from_ref(&expired), false, Some(1), 99), "answer offer-1-100");
        let taken = Known { booking_sitter_id: Some(SitterId::from("other")), ..expired.clone() };
        assert_eq!(told(std::slice::from_ref(&taken), true, None, 99), "Taken");
        assert_eq!(told(&[taken], true, None, 150), "Expired");
        assert_eq!(told(&[Known { booking_has_begun: true, ..expired }], true, None, 99), "Expired");
        let later = Known { offer: Offer { expires_at: at(500), ..one.offer.clone() }, ..one };
        assert_eq!(told(&[known(2, Expired, Some(100)), later.clone()], true, None, 150), "answer offer-1-0");
        assert_eq!(told(&[known(2, Expired, Some(100)), later.clone()], true, Some(2), 150), "Which(Some(2))");
        assert_eq!(told(&[known(2, Superseded, Some(100)), later], true, Some(2), 150), "Taken");
    }

    #[test]
    fn an_offer_of_a_booking_that_is_gone_is_not_open() {
        let cancelled = Known { booking_status: Status::Cancelled, ..known(1, OfferStatus::Pending, None) };
        assert_eq!(told(&[cancelled], true, None, 50), "Nothing");
        let given_away = known(1, OfferStatus::Accepted, Some(10));
        let given_away = Known { booking_sitter_id: Some(SitterId::from("other")), ..given_away };
        assert_eq!(told(&[given_away], true, None, 50), "Nothing");
    }
}
