//! What a person's texts and the carrier's refusals amount to: whether the person wants texts.
//!
//! Each is compared by the time at which it was said, so that the answer does not depend on the order in which they are
//! taken in. Pure functions.

use nightshift_db::Timestamp;

use crate::ids::MessageId;
use crate::text_enum::text_enum;

text_enum! {
    /// How it became known that a person wants no texts. A later one takes precedence over those before it.
    pub enum OptOutSource {
        /// The carrier refused a text because of it.
        Carrier = "carrier",
        /// The owner recorded it.
        Owner = "owner",
        /// The person sent a keyword.
        Keyword = "keyword",
    }
}

/// When something was said, and in which text. Of two texts of one millisecond the one with the greater id is later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    pub at: Timestamp,
    pub message: Option<MessageId>,
}

impl Moment {
    fn is_after(&self, other: &Self) -> bool {
        self.at > other.at || (self.at == other.at && other.message.is_some() && self.message > other.message)
    }
}

/// A person who wants no texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OptOut {
    pub since: Timestamp,
    pub source: OptOutSource,
    /// The text that made it known, if one did.
    pub message: Option<MessageId>,
    /// When the person or the owner last said so. `None` if only the carrier did.
    pub said: Option<Moment>,
    /// When the latest text began to be sent that the carrier refused.
    pub refused_at: Option<Timestamp>,
}

/// All that is known about a person's wish.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub opt_out: Option<OptOut>,
    /// When the person last asked for texts again.
    pub opt_in: Option<Moment>,
    /// When the person last said what lifts a block of the carrier only.
    pub unblocked_at: Option<Timestamp>,
}

impl Standing {
    /// The person wants no texts, as `source` says. A refusal by the carrier tells what was true when the text was
    /// about to be sent, so that is its time.
    #[must_use]
    pub fn stopped(mut self, moment: &Moment, source: OptOutSource) -> Self {
        let carrier = source == OptOutSource::Carrier;
        let outdated = match &self.opt_in {
            Some(opt_in) if carrier => opt_in.at >= moment.at,
            Some(opt_in) => opt_in.is_after(moment),
            None => false,
        };
        let unblocked = carrier && self.unblocked_at.is_some_and(|unblocked_at| unblocked_at >= moment.at);
        if outdated || unblocked {
            return self;
        }
        let opt_out = self.opt_out.get_or_insert_with(|| OptOut {
            since: moment.at,
            source,
            message: moment.message.clone(),
            said: None,
            refused_at: None,
        });
        opt_out.since = opt_out.since.min(moment.at);
        if source > opt_out.source {
            opt_out.source = source;
            opt_out.message.clone_from(&moment.message);
        }
        if carrier {
            opt_out.refused_at = opt_out.refused_at.max(Some(moment.at));
        } else if opt_out.said.as_ref().is_none_or(|said| moment.is_after(said)) {
            opt_out.said = Some(moment.clone());
        }
        self
    }

    /// The person wants texts again. Whatever was said after that stays.
    #[must_use]
    pub fn started(mut self, moment: &Moment) -> Self {
        if self.opt_in.as_ref().is_none_or(|opt_in| moment.is_after(opt_in)) {
            self.opt_in = Some(moment.clone());
        }
        self.opt_out = self.opt_out.and_then(|opt_out| {
            let said = opt_out.said.clone().filter(|said| !moment.is_after(said));
            opt_out.after(moment.at, said)
        });
        self
    }

    /// The carrier has lifted its own block. What the person or the owner said stays.
    #[must_use]
    pub fn unblocked(mut self, moment: &Moment) -> Self {
        self.unblocked_at = self.unblocked_at.max(Some(moment.at));
        self.opt_out = self.opt_out.and_then(|mut opt_out| {
            if opt_out.said.is_none() {
                return opt_out.after(moment.at, None);
            }
            opt_out.refused_at = opt_out.refused_at.filter(|refused| *refused > moment.at);
            Some(opt_out)
        });
        self
    }
}

impl OptOut {
    /// Returns what is left of it after `lifted`: what was `said`, and the carrier's later refusals.
    fn after(mut self, lifted: Timestamp, said: Option<Moment>) -> Option<Self> {
        let refused_at = self.refused_at.filter(|refused| *refused > lifted);
        let first = said.iter().map(|said| said.at).chain(refused_at).min()?;
        if self.since <= lifted {
            self.since = first;
            self.message = said.as_ref().and_then(|said| said.message.clone());
        }
        if said.is_none() {
            self.source = OptOutSource::Carrier;
            self.message = None;
        }
        self.said = said;
        self.refused_at = refused_at;
        Some(self)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use proptest::prelude::*;

    use super::OptOutSource::{Carrier, Keyword, Owner};
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_unix_ms(1_700_000_000_000 + minute * 60_000)
    }

    fn text(minute: i64, id: &str) -> Moment {
        Moment { at: at(minute), message: Some(MessageId::from(id)) }
    }

    fn decided(minute: i64) -> Moment {
        Moment { at: at(minute), message: None }
    }

    fn source(standing: &Standing) -> Option<OptOutSource> {
        standing.opt_out.as_ref().map(|opt_out| opt_out.source)
    }

    #[test]
    fn a_repeated_stop_keeps_the_first_time() {
        let standing = Standing::default().stopped(&text(1, "a"), Keyword).stopped(&text(5, "b"), Keyword);
        let opt_out = standing.opt_out.unwrap();
        assert_eq!((opt_out.since, opt_out.message), (at(1), Some(MessageId::from("a"))));
    }

    #[test]
    fn a_stop_taken_in_late_does_not_undo_a_later_start() {
        let standing = Standing::default().stopped(&text(1, "a"), Keyword).started(&text(3, "c"));
        assert_eq!(source(&standing), None);
        assert_eq!(source(&standing.clone().stopped(&text(2, "b"), Keyword)), None);
        assert_eq!(source(&standing.stopped(&text(4, "d"), Keyword)), Some(Keyword));
    }

    #[test]
    fn a_start_taken_in_late_leaves_a_later_stop() {
        let stopped = Standing::default().stopped(&text(1, "a"), Keyword).stopped(&text(5, "e"), Keyword);
        let opt_out = stopped.started(&text(3, "c")).opt_out.unwrap();
        assert_eq!((opt_out.since, opt_out.message), (at(5), Some(MessageId::from("e"))));
    }

    #[test]
    fn texts_of_one_millisecond_count_in_the_order_of_their_ids() {
        let stop_first = [text(1, "a"), text(1, "b")];
        let opted_out = |stop: &Moment, start: &Moment| {
            let one = Standing::default().stopped(stop, Keyword).started(start).opt_out.is_some();
            let other = Standing::default().started(start).stopped(stop, Keyword).opt_out.is_some();
            assert_eq!(one, other);
            one
        };
        assert!(!opted_out(&stop_first[0], &stop_first[1]));
        assert!(opted_out(&stop_first[1], &stop_first[0]));
        assert!(opted_out(&decided(1), &decided(1)), "in doubt, no texts");
    }

    #[test]
    fn what_the_carrier_lifts_leaves_what_was_said() {
        let refused = Standing::default().stopped(&decided(1), Carrier);
        assert_eq!(source(&refused.clone().unblocked(&text(2, "b"))), None);
        assert_eq!(source(&refused.clone().unblocked(&text(0, "b"))), Some(Carrier), "it was refused after that");
        for said in [Keyword, Owner] {
            let stopped = refused.clone().stopped(&text(2, "b"), said);
            assert_eq!(source(&stopped.clone().unblocked(&text(3, "c"))), Some(said));
            assert_eq!(source(&stopped.started(&text(3, "c"))), None, "a START lifts all of them");
        }
    }

    #[test]
    fn a_refusal_from_before_the_yes_that_is_taken_in_late_changes_nothing() {
        let lifted = Standing::default().unblocked(&text(3, "c"));
        assert_eq!(source(&lifted.clone().stopped(&decided(2), Carrier)), None);
        assert_eq!(source(&lifted.clone().stopped(&decided(4), Carrier)), Some(Carrier));
        assert_eq!(source(&lifted.stopped(&text(2, "b"), Keyword)), Some(Keyword), "a YES lifts no STOP");
    }

    #[test]
    fn a_refusal_later_than_the_start_opts_out_again() {
        let standing = Standing::default().stopped(&text(1, "a"), Keyword).stopped(&decided(5), Carrier);
        let standing = standing.started(&text(3, "c"));
        assert_eq!(source(&standing), Some(Carrier));
        assert_eq!(standing.opt_out.unwrap().since, at(5));
    }

    #[test]
    fn a_keyword_takes_precedence_over_the_owner_and_the_carrier() {
        let standing = Standing::default().stopped(&decided(1), Carrier).stopped(&decided(2), Owner);
        let opt_out = standing.stopped(&text(3, "c"), Keyword).stopped(&decided(4), Owner).opt_out.unwrap();
        assert_eq!((opt_out.source, opt_out.since), (Keyword, at(1)));
        assert_eq!(opt_out.message, Some(MessageId::from("c")));
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Said {
        Stop(OptOutSource),
        Start,
        Yes,
    }

    /// One thing that is said or refused: what, and in which minute.
    fn said() -> impl Strategy<Value = (Said, i64)> {
        let what = prop_oneof![
            Just(Said::Start),
            Just(Said::Yes),
            Just(Said::Stop(Keyword)),
            Just(Said::Stop(Owner)),
            Just(Said::Stop(Carrier))
        ];
        (what, 0..6_i64)
    }

    fn fold(said: &[(usize, (Said, i64))]) -> Standing {
        said.iter().fold(Standing::default(), |standing, (id, (what, minute))| {
            let message = (*what != Said::Stop(Carrier)).then(|| MessageId::from(format!("text-{id}")));
            let moment = Moment { at: at(*minute), message };
            match what {
                Said::Stop(source) => standing.stopped(&moment, *source),
                Said::Start => standing.started(&moment),
                Said::Yes => standing.unblocked(&moment),
            }
        })
    }

    proptest! {
        #[test]
        fn the_order_in_which_things_are_taken_in_does_not_matter(
            said in proptest::collection::vec(said(), 1..8),
            seed in any::<u64>(),
        ) {
            let said: Vec<_> = said.into_iter().enumerate().collect();
            let mut shuffled = said.clone();
            let mut state = seed | 1;
            for end in (1..shuffled.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                shuffled.swap(end, usize::try_from(state >> 33).unwrap() % (end + 1));
            }
            let (one, other) = (fold(&said), fold(&shuffled));
            prop_assert_eq!(one.opt_out.is_some(), other.opt_out.is_some());
            prop_assert_eq!(one.opt_in, other.opt_in);
            prop_assert_eq!(one.unblocked_at, other.unblocked_at);
            let last_of = |counts: fn(Said) -> bool| {
                let those = said.iter().filter(move |(_, (what, _))| counts(*what));
                those.max_by_key(|(id, (_, minute))| (*minute, format!("text-{id}")))
            };
            let says = |what| matches!(what, Said::Start | Said::Stop(Keyword | Owner));
            let stopped = last_of(says).is_some_and(|(_, (what, _))| *what != Said::Start);
            // The carrier's refusal comes before a text of the same minute.
            let refused = last_of(|what| what == Said::Stop(Carrier)).map(|(_, (_, minute))| *minute);
            let lifted = last_of(|what| matches!(what, Said::Start | Said::Yes)).map(|(_, (_, minute))| *minute);
            prop_assert_eq!(one.opt_out.is_some(), stopped || refused > lifted);
        }
    }
}
