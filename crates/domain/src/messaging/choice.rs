//! The choice of a thread's masking number.
//!
//! A pure function over the active numbers of the organisation, so that it can be tested without a database. The same
//! booking and the same numbers give the same answer, whatever the order of the numbers.

use sha2::{Digest as _, Sha256};

use crate::ids::{NumberId, SitterId};
use crate::messaging::numbers::NumberClass;
use crate::text_enum::text_enum;

/// An active number of the thread's organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub id: NumberId,
    pub class: NumberClass,
    /// Set for a sitter's own number.
    pub assigned_sitter_id: Option<SitterId>,
    /// Whether it carries another open thread of the same client.
    pub carries_client: bool,
}

text_enum! {
    /// Why a number was chosen. Stored in the audit log.
    pub enum Reason {
        /// The assigned sitter's own number.
        SitterNumber = "sitter_number",
        /// A pool number on which this client has no other open thread.
        PoolNumber = "pool_number",
        /// The organisation's front desk, because this client has an open thread on every pool number.
        FrontDesk = "front_desk",
        /// A pool number on which this client already has an open thread, because there is no other number.
        SharedPoolNumber = "shared_pool_number",
    }
}

/// Picks the number for a thread: the sitter's own, else a pool number without another open thread of the client, else
/// the front desk, else any pool number. Pool numbers are ordered by SHA-256(`order` + number id): with the booking's
/// id as `order`, bookings are spread over the pool and each booking always gets the same number.
#[must_use]
pub fn pick<'c>(
    order: &str,
    sitter: Option<&SitterId>,
    candidates: &'c [Candidate],
) -> Option<(&'c Candidate, Reason)> {
    candidates
        .iter()
        .filter_map(|candidate| Some((candidate, reason_for(candidate, sitter)?)))
        .min_by_key(|(candidate, reason)| (*reason, order_key(order, &candidate.id), candidate.id.clone()))
}

/// Returns why this number may be used, if it may. The order of the reasons is the order of preference.
fn reason_for(candidate: &Candidate, sitter: Option<&SitterId>) -> Option<Reason> {
    match candidate.class {
        NumberClass::Sitter => {
            (sitter.is_some() && candidate.assigned_sitter_id.as_ref() == sitter).then_some(Reason::SitterNumber)
        }
        NumberClass::Pool if candidate.carries_client => Some(Reason::SharedPoolNumber),
        NumberClass::Pool => Some(Reason::PoolNumber),
        NumberClass::FrontDesk => Some(Reason::FrontDesk),
    }
}

fn order_key(order: &str, number: &NumberId) -> [u8; 32] {
    Sha256::new().chain_update(order).chain_update(number.as_ref()).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_candidate() -> impl Strategy<Value = Candidate> {
        ("[a-z0-9]{1,8}", prop::sample::select(NumberClass::ALL), 0..3, any::<bool>()).prop_map(
            |(id, class, sitter, carries_client)| Candidate {
                id: NumberId::from(id),
                class,
                assigned_sitter_id: (class == NumberClass::Sitter).then(|| SitterId::from(format!("sitter-{sitter}"))),
                carries_client,
            },
        )
    }

    proptest! {
        /// For every set of numbers in every order: the answer is the same, it is `None` only if no number may be used,
        /// and no preferred number is passed over.
        #[test]
        fn the_choice_is_stable_complete_and_by_preference(
            candidates in prop::collection::btree_map("[a-z0-9]{1,8}", any_candidate(), 0..12),
            booking in "[a-z0-9]{1,12}",
            assigned in any::<bool>(),
            turn in 0usize..12,
        ) {
            let sitter = assigned.then(|| SitterId::from("sitter-1".to_owned()));
            let numbers: Vec<_> = candidates
                .into_iter()
                .map(|(id, candidate)| Candidate { id: NumberId::from(id), ..candidate })
                .collect();
            let mut turned = numbers.clone();
            turned.reverse();
            if !turned.is_empty() {
                let by = turn % turned.len();
                turned.rotate_left(by);
            }

            let chosen = pick(&booking, sitter.as_ref(), &numbers);
            prop_assert_eq!(chosen, pick(&booking, sitter.as_ref(), &turned));

            let own = |c: &Candidate| assigned && c.assigned_sitter_id == sitter;
            let free_pool = |c: &Candidate| c.class == NumberClass::Pool && !c.carries_client;
            match chosen {
                None => prop_assert!(numbers.iter().all(|c| c.class == NumberClass::Sitter && !own(c))),
                Some((number, reason)) => {
                    let expected = if numbers.iter().any(own) {
                        (own(number), Reason::SitterNumber)
                    } else if numbers.iter().any(free_pool) {
                        (free_pool(number), Reason::PoolNumber)
                    } else if numbers.iter().any(|c| c.class == NumberClass::FrontDesk) {
                        (number.class == NumberClass::FrontDesk, Reason::FrontDesk)
                    } else {
                        (number.class == NumberClass::Pool, Reason::SharedPoolNumber)
                    };
                    prop_assert_eq!((true, reason), expected);
                }
            }
        }
    }

    #[test]
    fn the_pool_order_is_that_of_the_hash_of_booking_and_number() {
        let pool = |id: &str| Candidate {
            id: NumberId::from(id.to_owned()),
            class: NumberClass::Pool,
            assigned_sitter_id: None,
            carries_client: false,
        };
        let numbers = [pool("n1"), pool("n2"), pool("n3")];
        let mut by_hash = ["n1", "n2", "n3"];
        by_hash.sort_by_key(|number| hex::encode(Sha256::digest(format!("b1{number}"))));
        let chosen = pick("b1", None, &numbers).map(|(number, _)| number.id.to_string());
        assert_eq!(chosen.as_deref(), Some(by_hash[0]));
    }
}
