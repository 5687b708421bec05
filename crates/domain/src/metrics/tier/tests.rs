//! Both sides of every limit, and the rule about falling.

use proptest::prelude::*;

use super::*;

/// Figures with this median and these counts: responses given of required, offers accepted of received.
fn figures(median: i64, (given, required): (i64, i64), (accepted, received): (i64, i64)) -> Figures {
    Figures {
        median_response_seconds: (given > 0).then_some(median),
        responses_required: required,
        responses_given: given,
        offers_accepted: accepted,
        offers_declined: received - accepted,
        ..Figures::default()
    }
}

#[test]
fn each_limit_belongs_to_the_better_tier() {
    let (all, most) = ((1000, 1000), (1000, 1000));
    for (tier, below, median, rate, accepts, sample) in [
        (Tier::Platinum, Tier::Gold, 600, 950, 800, 20),
        (Tier::Gold, Tier::Silver, 1800, 900, 650, 10),
        (Tier::Silver, Tier::Bronze, 7200, 750, 500, 5),
    ] {
        // Everything exactly at its limit, and each by itself just worse.
        assert_eq!(earned(&figures(median, (rate, 1000), (accepts, 1000))), tier);
        assert_eq!(earned(&figures(median - 1, (rate + 1, 1000), (accepts + 1, 1000))), tier);
        assert_eq!(earned(&figures(median + 1, all, most)), below);
        assert_eq!(earned(&figures(0, (rate - 1, 1000), most)), below);
        assert_eq!(earned(&figures(0, all, (accepts - 1, 1000))), below);
        // The sample, of texts alone, of offers alone, and of both.
        for (texts, offers) in [(sample, 0), (0, sample), (sample - 2, 2)] {
            assert_eq!(earned(&figures(0, (texts, texts), (offers, offers))), tier, "{texts} {offers}");
        }
        let fewer = if sample == 5 { Tier::Unrated } else { below };
        for (texts, offers) in [(sample - 1, 0), (0, sample - 1), (sample - 3, 2)] {
            assert_eq!(earned(&figures(0, (texts, texts), (offers, offers))), fewer, "{texts} {offers}");
        }
    }
    assert_eq!(earned(&figures(1_000_000, (0, 5), (0, 0))), Tier::Bronze);
    assert_eq!(earned(&figures(0, (0, 0), (0, 5))), Tier::Bronze);
    assert_eq!(earned(&Figures::default()), Tier::Unrated);
}

#[test]
fn a_share_that_is_exactly_the_limit_meets_it() {
    assert_eq!(earned(&figures(600, (19, 20), (4, 5))), Tier::Platinum);
    assert_eq!(earned(&figures(600, (18, 20), (13, 20))), Tier::Gold);
    assert_eq!(earned(&figures(600, (3, 4), (1, 2))), Tier::Silver);
}

#[test]
fn a_tier_rises_at_once_and_falls_one_step_a_day() {
    use Tier::{Bronze, Gold, Platinum, Silver, Unrated};
    assert_eq!(next(Bronze, Platinum, true), Platinum);
    assert_eq!(next(Unrated, Gold, true), Gold);
    assert_eq!(next(Platinum, Bronze, false), Gold);
    assert_eq!(next(Gold, Bronze, true), Gold);
    assert_eq!(next(Gold, Bronze, false), Silver);
    assert_eq!(next(Silver, Bronze, false), Bronze);
    assert_eq!(next(Platinum, Unrated, true), Unrated);
    assert!(is_step_down(Gold, Silver) && !is_step_down(Gold, Unrated) && !is_step_down(Silver, Gold));
}

fn tiers() -> impl Strategy<Value = Tier> {
    proptest::sample::select(Tier::ALL)
}

proptest! {
    /// Whatever is earned in the course of a day, the tier makes at most one step down, and none past what is earned.
    #[test]
    fn a_day_has_at_most_one_step_down(start in tiers(), day in proptest::collection::vec(tiers(), 0..20)) {
        let (mut tier, mut steps) = (start, 0);
        for earned in day {
            let after = next(tier, earned, steps > 0);
            if is_step_down(tier, after) {
                steps += 1;
                prop_assert_eq!(after, one_lower(tier));
            }
            prop_assert!(after >= earned);
            prop_assert!(after == earned || after <= tier);
            tier = after;
        }
        prop_assert!(steps <= 1);
    }

    /// With the same figures day after day, the earned tier is reached and kept.
    #[test]
    fn the_earned_tier_is_reached(start in tiers(), earned in tiers()) {
        let mut tier = start;
        for _ in 0..3 {
            tier = next(tier, earned, false);
        }
        prop_assert_eq!(tier, earned);
        prop_assert_eq!(next(tier, earned, false), earned);
    }

    /// Better figures never earn a lower tier.
    #[test]
    fn better_figures_earn_no_lower_tier(
        median in 0_i64..10_000, given in 1_i64..40, missed in 0_i64..10, accepted in 1_i64..20, declined in 0_i64..20,
    ) {
        let tier = earned(&figures(median, (given, given + missed), (accepted, accepted + declined)));
        let faster = figures(median / 2, (given, given + missed), (accepted, accepted + declined));
        let surer = figures(median, (given + missed, given + missed), (accepted, accepted + declined));
        let keener = figures(median, (given, given + missed), (accepted + declined, accepted + declined));
        for better in [faster, surer, keener] {
            prop_assert!(earned(&better) >= tier, "{better:?}");
        }
    }
}
