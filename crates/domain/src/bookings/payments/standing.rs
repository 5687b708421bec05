//! Decides what a booking shows of its payments, given everything that is known of each of them.
//!
//! One rule serves all reports, so the order of reports does not matter: a payment that is kept pays the booking; if
//! none is kept, the booking is refunded. This file does not use the database.

use std::cmp::Reverse;

use crate::bookings::PaymentStatus;

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct One {
    /// The provider's id; `None` if a report named no payment.
    pub id: Option<String>,
    /// Amount received, in minor units; `None` until it is reported.
    pub received_minor: Option<i64>,
    pub currency: Option<String>,
    /// Refunded so far, in minor units.
    pub refunded_minor: i64,
    pub fully_refunded: bool,
}

impl One {
    /// Returns whether the payment was received and not fully refunded.
    pub fn kept(&self) -> bool {
        self.received_minor.is_some() && !self.fully_refunded
    }

    /// Returns the payment status of a booking that shows this payment.
    pub fn status(&self) -> PaymentStatus {
        match (self.kept(), self.fully_refunded) {
            (true, _) => PaymentStatus::Paid,
            (false, true) => PaymentStatus::Refunded,
            (false, false) => PaymentStatus::Unpaid,
        }
    }
}

/// Returns the payment that the booking shows: one that is kept, or else one that was refunded. Among equals, the
/// payment whose id the booking `carries` wins, then the one that became known first.
pub(super) fn shown<'a>(payments: &'a [One], carries: Option<&str>) -> Option<&'a One> {
    // `min_by_key` returns the first of equal elements.
    payments.iter().min_by_key(|one| Reverse((one.kept(), one.fully_refunded, one.id.as_deref() == carries)))
}

/// Returns all payments of a booking: the rows that name it, the payment that its own columns show, and the one that is
/// being reported (`told`).
///
/// The shown payment is not among the rows if it dates from before payments were stored, belongs to another booking, or
/// has no id. A payment without an id is taken for the one that is known by its id, because such a report must neither
/// hide nor double real money.
pub(super) fn gathered(rows: Vec<One>, shows: Option<One>, told: Option<One>) -> Vec<One> {
    let mut all = rows;
    let (told, nameless) = match told {
        Some(one) if one.id.is_none() => (None, Some(one)),
        told => (told, None),
    };
    if let Some(told) = told
        && all.iter().all(|one| one.id != told.id)
    {
        all.push(told);
    }
    if let Some(shows) = shows {
        let same = all.iter_mut().find(|one| match &shows.id {
            Some(_) => one.id == shows.id,
            None => one.received_minor.is_none(),
        });
        if let Some(one) = same {
            one.received_minor = one.received_minor.or(shows.received_minor);
        } else if shows.id.is_some() || all.is_empty() {
            all.insert(0, shows);
        }
    }
    match (nameless, all.as_mut_slice()) {
        (Some(told), []) => all.push(told),
        (Some(told), [only]) if only.id.is_none() => {
            only.received_minor = told.received_minor.or(only.received_minor);
            only.refunded_minor = only.refunded_minor.max(told.refunded_minor);
            only.fully_refunded |= told.fully_refunded;
        }
        _ => {}
    }
    all
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn payments() -> impl Strategy<Value = Vec<One>> {
        let one = (proptest::option::of(1..3_i64), 0..3_i64, any::<bool>());
        proptest::collection::vec(one, 1..5).prop_map(|all| {
            let one = |(n, (received_minor, refunded_minor, fully_refunded))| One {
                id: Some(format!("pi_{n}")),
                received_minor,
                currency: None,
                refunded_minor,
                fully_refunded,
            };
            all.into_iter().enumerate().map(one).collect()
        })
    }

    proptest! {
        #[test]
        fn money_that_is_kept_pays_and_money_that_went_back_never_does(all in payments(), carries in 0..6_usize) {
            let carries = format!("pi_{carries}");
            let status = shown(&all, Some(&carries)).unwrap().status();
            let kept = all.iter().any(One::kept);
            prop_assert_eq!(status == PaymentStatus::Paid, kept);
            prop_assert_eq!(status == PaymentStatus::Refunded, !kept && all.iter().any(|one| one.fully_refunded));
        }

        #[test]
        fn the_order_in_which_payments_became_known_does_not_change_the_status(
            (one, other) in payments().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        ) {
            prop_assert_eq!(shown(&one, None).unwrap().status(), shown(&other, None).unwrap().status());
        }

        #[test]
        fn what_is_shown_stays_when_nothing_is_told(all in payments(), carries in 0..6_usize) {
            let first = shown(&all, Some(&format!("pi_{carries}"))).unwrap();
            prop_assert_eq!(shown(&all, first.id.as_deref()).unwrap(), first);
            prop_assert_eq!(&gathered(all.clone(), Some(first.clone()), None), &all);
        }
    }
}
