//! The life of an offer, as a pure function of a booking and all its offers.
//!
//! An offer that is no longer pending stays as it is, with two exceptions. An acceptance is released when its booking,
//! which the sitter has no longer, is offered again. And an answer that was given in time counts although the offer has
//! expired before it was taken in. At most one offer of a booking is accepted: an acceptance ends the others in the same
//! step.

use nightshift_db::Timestamp;

use super::offer::Offer;
use super::status::OfferStatus;
use crate::ids::{OfferId, SitterId};

/// What is done to one offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Accept,
    Decline,
    Expire,
    Withdraw,
    /// Frees the booking from an acceptance whose sitter has it no longer.
    Release,
}

/// Why an offer stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The booking went to another sitter.
    Taken,
    /// The offer ended otherwise, or its booking did.
    NotPending,
}

impl From<Refusal> for crate::Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Taken => Self::conflict("booking_taken", "another sitter has this booking"),
            Refusal::NotPending => Self::conflict("offer_not_pending", "this offer can no longer be answered"),
        }
    }
}

/// A booking, with what decides about its offers.
#[derive(Debug, Clone)]
pub(super) struct Scene<'a> {
    /// The booking's sitter.
    pub taken_by: Option<&'a SitterId>,
    /// Whether the booking may still be given to a sitter.
    pub open: bool,
    /// Whether the booking takes place no more, for anybody.
    pub cancelled: bool,
    /// Whether the booking has begun, so that it is given to nobody.
    pub begun: bool,
    /// Every offer of the booking.
    pub offers: &'a [Offer],
    /// When the step was asked for. An answer that is taken in late was asked for before now.
    pub at: Timestamp,
}

/// Returns the offers that a step changes, with their new statuses. It changes none if the step was done before.
pub(super) fn outcome(scene: &Scene<'_>, offer: &Offer, step: Step) -> Result<Vec<(OfferId, OfferStatus)>, Refusal> {
    use OfferStatus::{Accepted, Declined, Expired, Pending, Superseded, Withdrawn};
    let is_overdue = |offer: &Offer| offer.expires_at <= scene.at;
    let overdue = is_overdue(offer);
    // An answer that is taken in late may be older than the offer, so it is about another one.
    let in_time = offer.offered_at <= scene.at && !overdue;
    let accepted = || scene.offers.iter().any(|other| other.status == Accepted);
    // An answer in time finds the offer as it was then.
    let status = match (step, offer.status) {
        (Step::Accept | Step::Decline, Expired) if in_time => Pending,
        (_, status) => status,
    };
    let to = |status| Ok(vec![(offer.id.clone(), status)]);
    match (step, status) {
        (Step::Accept, Accepted) if scene.taken_by == Some(&offer.sitter_id) && !scene.cancelled => Ok(Vec::new()),
        (Step::Accept, Pending | Accepted) if scene.taken_by.is_some_and(|sitter| *sitter != offer.sitter_id) => {
            Err(Refusal::Taken)
        }
        // Whoever accepted the booking since may have lost it again, but it is the owner's turn then.
        (Step::Accept, Pending) if scene.open && !scene.begun && in_time && !accepted() => {
            let others = scene.offers.iter().filter(|other| other.status == Pending && other.id != offer.id);
            let others = others.map(|other| (other.id.clone(), if is_overdue(other) { Expired } else { Superseded }));
            Ok(std::iter::once((offer.id.clone(), Accepted)).chain(others).collect())
        }
        (Step::Decline, Pending) if scene.open && in_time => to(Declined),
        (Step::Accept | Step::Decline, Superseded) => Err(Refusal::Taken),
        (Step::Expire, Pending) if overdue => to(Expired),
        (Step::Withdraw, Pending) if !overdue => to(Withdrawn),
        (Step::Release, Accepted) if scene.taken_by != Some(&offer.sitter_id) => to(Withdrawn),
        (Step::Decline, Declined) | (Step::Expire | Step::Release, _) | (Step::Withdraw, Withdrawn) => Ok(Vec::new()),
        (Step::Accept | Step::Decline | Step::Withdraw, _) => Err(Refusal::NotPending),
    }
}

/// Whether a booking that nobody has yet was turned down by everybody to whom it was offered.
pub(super) fn is_unfilled(taken_by: Option<&SitterId>, open: bool, statuses: &[OfferStatus]) -> bool {
    taken_by.is_none() && open && !statuses.contains(&OfferStatus::Pending)
}

/// Returns the smallest code from 1 that none of a sitter's pending offers has.
pub(super) fn free_code(used: &[i64]) -> i64 {
    (1..).find(|code| !used.contains(code)).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::{BookingId, OrgId};

    fn offer(number: usize, sitter: usize, expires: i64) -> Offer {
        Offer {
            id: OfferId::from(format!("offer-{number}")),
            org_id: OrgId::from("org"),
            sitter_id: SitterId::from(format!("sitter-{sitter}")),
            booking_id: BookingId::from("booking"),
            code: 1,
            status: OfferStatus::Pending,
            offered_at: Timestamp::from_unix_ms(0),
            expires_at: Timestamp::from_unix_ms(expires),
            accepted_at: None,
            declined_at: None,
            ended_at: None,
            decline_reason: None,
            answered_via: None,
            response_seconds: None,
        }
    }

    fn step() -> impl Strategy<Value = Step> {
        let steps = [Step::Accept, Step::Decline, Step::Expire, Step::Withdraw, Step::Release];
        proptest::sample::select(steps.to_vec())
    }

    proptest! {
        /// Any steps at any times, answers that are taken in late among them, while sitters are taken off the booking: an
        /// offer changes once and from pending only, unless its acceptance is released or its answer was in time. One at
        /// most is accepted, the booking's sitter is the one who accepted, nobody is given a booking that has begun, and a
        /// step that is repeated at once changes nothing.
        #[test]
        fn an_offer_changes_once_and_one_at_most_is_accepted(
            expiries in proptest::collection::vec(1_i64..100, 1..6),
            steps in proptest::collection::vec(
                (0_usize..6, step(), 0_i64..120, 0_i64..60, any::<bool>(), any::<bool>()), 0..24),
            begins in 50_i64..300,
        ) {
            let mut offers: Vec<Offer> =
                expiries.iter().enumerate().map(|(number, at)| offer(number, number, *at)).collect();
            let (mut taken_by, mut open, mut clock) = (None::<SitterId>, true, 0);
            for (number, step, later, before, closes, leaves) in steps {
                clock += later / 8;
                open &= !(closes && later > 100);
                taken_by = taken_by.filter(|_| !(leaves && later < 40));
                let chosen = offers[number % offers.len()].clone();
                let answers = matches!(step, Step::Accept | Step::Decline);
                let at = Timestamp::from_unix_ms(if answers { clock - before.min(clock) } else { clock });
                let begun = clock >= begins;
                let scene = Scene { taken_by: taken_by.as_ref(), open, cancelled: false, begun, offers: &offers, at };
                let before = offers.clone();
                let Ok(changes) = outcome(&scene, &chosen, step) else { continue };
                for (id, status) in &changes {
                    let changed = offers.iter_mut().find(|offer| offer.id == *id).unwrap();
                    match changed.status {
                        OfferStatus::Pending => prop_assert_ne!(step, Step::Release),
                        OfferStatus::Accepted => prop_assert_eq!(step, Step::Release),
                        OfferStatus::Expired => prop_assert!(answers && at < changed.expires_at && *id == chosen.id),
                        other => prop_assert!(false, "{} was {} already", id, other),
                    }
                    prop_assert_ne!(*status, OfferStatus::Pending);
                    changed.status = *status;
                    if *status == OfferStatus::Accepted {
                        prop_assert!(open && !begun && at < changed.expires_at && taken_by.is_none());
                        taken_by = Some(changed.sitter_id.clone());
                    }
                }
                let changed = before.iter().zip(&offers).filter(|(before, after)| before.status != after.status).count();
                prop_assert_eq!(changed, changes.len());
                let accepted: Vec<_> = offers.iter().filter(|offer| offer.status == OfferStatus::Accepted).collect();
                prop_assert!(accepted.len() <= 1);
                if let Some(sitter) = &taken_by {
                    prop_assert_eq!(accepted.first().map(|offer| &offer.sitter_id), Some(sitter));
                }
                if !accepted.is_empty() {
                    prop_assert!(offers.iter().all(|offer| offer.status != OfferStatus::Pending));
                }
                let now = offers.iter().find(|offer| offer.id == chosen.id).unwrap().clone();
                let scene = Scene { taken_by: taken_by.as_ref(), open, cancelled: false, begun, offers: &offers, at };
                prop_assert_eq!(outcome(&scene, &now, step), Ok(Vec::new()), "{:?} once more", step);
            }
        }

        #[test]
        fn a_code_is_the_smallest_that_is_free(used in proptest::collection::vec(1_i64..12, 0..12)) {
            let code = free_code(&used);
            prop_assert!(!used.contains(&code));
            prop_assert!((1..code).all(|smaller| used.contains(&smaller)));
        }
    }

    #[test]
    fn who_comes_late_is_told_why() {
        let (mine, theirs) = (offer(1, 1, 10), offer(2, 2, 10));
        let other = theirs.sitter_id.clone();
        let with = |status| Offer { status, ..mine.clone() };
        let at = Timestamp::from_unix_ms(5);
        let told = |mine: &Offer, taken_by: Option<&SitterId>, step| {
            let offers = [mine.clone(), theirs.clone()];
            let scene = Scene { taken_by, open: true, cancelled: false, begun: false, offers: &offers, at };
            outcome(&scene, mine, step)
        };
        assert_eq!(told(&with(OfferStatus::Superseded), Some(&other), Step::Accept), Err(Refusal::Taken));
        assert_eq!(told(&with(OfferStatus::Pending), Some(&other), Step::Accept), Err(Refusal::Taken));
        assert_eq!(told(&with(OfferStatus::Accepted), Some(&other), Step::Accept), Err(Refusal::Taken));
        assert_eq!(told(&with(OfferStatus::Accepted), None, Step::Accept), Err(Refusal::NotPending));
        for status in [OfferStatus::Declined, OfferStatus::Withdrawn] {
            assert_eq!(told(&with(status), None, Step::Accept), Err(Refusal::NotPending), "{status}");
        }
        let expired = |at| Offer { expires_at: Timestamp::from_unix_ms(at), ..with(OfferStatus::Expired) };
        assert_eq!(told(&expired(5), None, Step::Accept), Err(Refusal::NotPending));
        assert_eq!(told(&expired(5), Some(&other), Step::Accept), Err(Refusal::NotPending));
        assert_eq!(told(&expired(6), Some(&other), Step::Accept), Err(Refusal::Taken), "answered in time");
        assert_eq!(told(&with(OfferStatus::Accepted), Some(&mine.sitter_id), Step::Decline), Err(Refusal::NotPending));
        assert_eq!(told(&with(OfferStatus::Accepted), Some(&mine.sitter_id), Step::Withdraw), Err(Refusal::NotPending));
        let late = Offer { expires_at: at, ..mine.clone() };
        assert_eq!(told(&late, None, Step::Accept), Err(Refusal::NotPending));
        let early = Offer { offered_at: Timestamp::from_unix_ms(6), ..mine.clone() };
        for step in [Step::Accept, Step::Decline] {
            assert_eq!(told(&early, None, step), Err(Refusal::NotPending), "answered before it was made");
        }
    }

    #[test]
    fn an_answer_in_time_counts_after_the_end_unless_it_is_the_owners_turn() {
        use OfferStatus::{Accepted, Declined, Expired, Superseded};
        let mine = Offer { status: Expired, ..offer(1, 1, 10) };
        let (overdue, theirs) = (offer(2, 2, 3), offer(3, 3, 20));
        let at = Timestamp::from_unix_ms(5);
        let answered = |offers: &[Offer], begun, step| {
            let scene = Scene { taken_by: None, open: true, cancelled: false, begun, offers, at };
            let changes = outcome(&scene, &mine, step);
            changes.map(|changes| changes.into_iter().map(|(id, to)| (id.to_string(), to)).collect::<Vec<_>>())
        };
        let standing = [mine.clone(), overdue, theirs.clone()];
        assert_eq!(
            answered(&standing, false, Step::Accept),
            Ok(vec![
                ("offer-1".to_owned(), Accepted),
                ("offer-2".to_owned(), Expired),
                ("offer-3".to_owned(), Superseded)
            ])
        );
        assert_eq!(answered(&standing, false, Step::Decline), Ok(vec![("offer-1".to_owned(), Declined)]));
        assert_eq!(answered(&standing, true, Step::Accept), Err(Refusal::NotPending), "it has begun");
        let lost = [mine.clone(), Offer { status: Accepted, ..theirs }];
        assert_eq!(answered(&lost, false, Step::Accept), Err(Refusal::NotPending), "somebody had it since");
    }
}
