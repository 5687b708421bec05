//! Which text may be sent to a person who wants none: the one that confirms it.
//!
//! Where the carrier does not confirm a STOP itself, we do, in one text. The opt-out takes effect when the STOP is taken
//! in, so this text is marked with the STOP that it answers, and only it passes.

use std::time::Duration;

use nightshift_db::Timestamp;

use super::standing::OptOut;
use crate::ids::MessageId;

/// A confirmation that comes later than this after the STOP is another text that nobody wants. (The FCC allows one text
/// within five minutes.)
const CONFIRMED_WITHIN: Duration = Duration::from_secs(5 * 60);

/// The STOP that a text confirms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirms {
    pub stop: MessageId,
    /// The carrier's time of the STOP.
    pub said_at: Timestamp,
}

/// Whether a text may be sent to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    Send,
    /// The person wants no texts.
    OptedOut,
    /// The text confirms a STOP, and the person has asked for texts again.
    Outdated,
}

/// Decides whether a text may be sent to a person: not if they want no texts, unless it confirms the very STOP that said
/// so, in time.
pub(super) fn permission(opt_out: Option<&OptOut>, confirms: Option<&Confirms>, now: Timestamp) -> Permission {
    match (opt_out, confirms) {
        (None, None) => Permission::Send,
        (None, Some(_)) => Permission::Outdated,
        (Some(opt_out), Some(confirms))
            if opt_out.message.as_ref() == Some(&confirms.stop) && now.since(confirms.said_at) <= CONFIRMED_WITHIN =>
        {
            Permission::Send
        }
        (Some(_), _) => Permission::OptedOut,
    }
}

#[cfg(test)]
mod tests {
    use super::super::standing::{Moment, OptOutSource, Standing};
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_ms(1_700_000_000_000 + second * 1000)
    }

    fn stop(second: i64, id: &str) -> Moment {
        Moment { at: at(second), message: Some(MessageId::from(id)) }
    }

    fn confirms(id: &str) -> Confirms {
        Confirms { stop: MessageId::from(id), said_at: at(0) }
    }

    #[test]
    fn only_the_confirmation_of_the_stop_passes_and_only_for_five_minutes() {
        let stopped = Standing::default().stopped(&stop(0, "stop-1"), OptOutSource::Keyword);
        let decide = |confirms: Option<&Confirms>, second| permission(stopped.opt_out.as_ref(), confirms, at(second));
        assert_eq!(decide(None, 1), Permission::OptedOut);
        assert_eq!(decide(Some(&confirms("stop-1")), 1), Permission::Send);
        assert_eq!(decide(Some(&confirms("stop-1")), 300), Permission::Send);
        assert_eq!(decide(Some(&confirms("stop-1")), 301), Permission::OptedOut);
        assert_eq!(
            decide(Some(&confirms("stop-2")), 1),
            Permission::OptedOut,
            "a repeated STOP is not confirmed again"
        );
    }

    #[test]
    fn a_stop_after_a_carriers_refusal_is_confirmed_and_one_that_was_lifted_is_not() {
        let refused = Standing::default().stopped(&Moment { at: at(-60), message: None }, OptOutSource::Carrier);
        let stopped = refused.stopped(&stop(0, "stop-1"), OptOutSource::Keyword);
        assert_eq!(permission(stopped.opt_out.as_ref(), Some(&confirms("stop-1")), at(1)), Permission::Send);
        let started = stopped.started(&stop(2, "start-1"));
        assert_eq!(permission(started.opt_out.as_ref(), Some(&confirms("stop-1")), at(3)), Permission::Outdated);
        assert_eq!(permission(started.opt_out.as_ref(), None, at(3)), Permission::Send);
        let again = started.stopped(&stop(4, "stop-2"), OptOutSource::Keyword);
        assert_eq!(permission(again.opt_out.as_ref(), Some(&confirms("stop-1")), at(5)), Permission::OptedOut);
        assert_eq!(permission(again.opt_out.as_ref(), Some(&confirms("stop-2")), at(5)), Permission::Send);
    }
}
