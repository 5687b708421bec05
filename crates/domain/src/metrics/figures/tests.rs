//! Figures against a slow and simple computation, and by hand.

use std::time::Duration;

use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::metrics::days::Days;

fn noon() -> Timestamp {
    "2024-12-30T12:00:00Z".parse().unwrap_or_else(|_| unreachable!("a time"))
}

fn week() -> Period {
    Period::ending_today(Days::Seven, noon(), Tz::UTC)
}

fn answered(seconds: &[i64]) -> Figures {
    let exchanges: Vec<_> = seconds
        .iter()
        .map(|after| Exchange { required_at: noon() - Duration::from_secs(3600), answer: Answer::BySitter(*after) })
        .collect();
    Figures::of(&week(), &exchanges, &[], noon())
}

fn waiting(required_at: Timestamp) -> Exchange {
    Exchange { required_at, answer: Answer::Awaited }
}

#[test]
fn the_median_of_an_even_number_is_the_mean_of_the_middle_two_rounded_half_up() {
    for (seconds, median) in
        [(&[5][..], 5), (&[600, 601], 601), (&[1, 2, 9], 2), (&[1, 2, 4, 9], 3), (&[9, 1, 5, 2], 4), (&[0, 0], 0)]
    {
        assert_eq!(answered(seconds).median_response_seconds, Some(median), "{seconds:?}");
    }
    assert_eq!(answered(&[]).median_response_seconds, None);
}

#[test]
fn the_ninetieth_percentile_is_a_time_that_was_needed() {
    let ten: Vec<i64> = (1..=10).collect();
    let eleven: Vec<i64> = (1..=11).collect();
    assert_eq!(answered(&ten).p90_response_seconds, Some(9));
    assert_eq!(answered(&eleven).p90_response_seconds, Some(10));
    assert_eq!(answered(&[7]).p90_response_seconds, Some(7));
    assert_eq!(answered(&[1, 2]).avg_response_seconds, Some(2));
}

#[test]
fn a_text_that_waits_counts_after_a_day_and_one_that_another_answered_never() {
    let day = Duration::from_secs(24 * 3600);
    let exchanges = [
        waiting(noon() - day),
        waiting(noon() - day + Duration::from_millis(1)),
        Exchange { required_at: noon() - day * 2, answer: Answer::ByAnother },
    ];
    let figures = Figures::of(&week(), &exchanges, &[], noon());
    assert_eq!((figures.responses_required, figures.responses_given), (1, 0));
    assert_eq!(figures.response_rate(), Some(0.0));
    assert_eq!(figures.median_response_seconds, None);
}

#[test]
fn the_first_and_the_last_moment_of_the_days_belong_to_them() {
    let week = week();
    let ms = Duration::from_millis(1);
    for (at, counts) in [(week.from - ms, 0), (week.from, 1), (week.to - ms, 1), (week.to, 0)] {
        let exchange = Exchange { required_at: at, answer: Answer::BySitter(1) };
        let offer = Offered { offered_at: at, end: OfferEnd::Accepted, response_seconds: Some(1) };
        assert_eq!(Figures::of(&week, &[exchange], &[offer], noon()).sample(), 2 * counts, "{at}");
    }
}

#[test]
fn only_offers_that_the_sitter_answered_or_let_expire_count() {
    let offer = |end, response_seconds| Offered { offered_at: noon(), end, response_seconds };
    let offers = [
        offer(OfferEnd::Accepted, Some(10)),
        offer(OfferEnd::Accepted, Some(20)),
        offer(OfferEnd::Declined, Some(31)),
        offer(OfferEnd::Expired, None),
        offer(OfferEnd::Open, None),
    ];
    let figures = Figures::of(&week(), &[], &offers, noon());
    assert_eq!(figures.offers_received(), 4);
    assert_eq!(figures.offer_accept_rate(), Some(0.5));
    assert_eq!(figures.offer_decline_rate(), Some(0.25));
    assert_eq!(figures.offer_expire_rate(), Some(0.25));
    assert_eq!(figures.avg_offer_response_seconds, Some(20));
    assert_eq!(figures.response_rate(), None);
}

fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        (0_i64..100_000).prop_map(Answer::BySitter),
        Just(Answer::ByAnother),
        Just(Answer::Missed),
        Just(Answer::Awaited)
    ]
}

fn ends() -> impl Strategy<Value = OfferEnd> {
    proptest::sample::select(&[OfferEnd::Accepted, OfferEnd::Declined, OfferEnd::Expired, OfferEnd::Open][..])
}

proptest! {
    /// The order of the rows does not matter, what is outside of the period does not count, and every figure is what
    /// its definition says.
    #[test]
    fn figures_are_what_they_are_defined_as(
        texts in proptest::collection::vec((0_i64..10 * 86_400, answers()), 0..40),
        offers in proptest::collection::vec((0_i64..10 * 86_400, ends(), 0_i64..7200), 0..20),
    ) {
        let ago = |seconds: i64| Timestamp::from_unix_ms(noon().unix_ms() - seconds * 1000);
        let exchanges: Vec<_> =
            texts.iter().map(|(before, answer)| Exchange { required_at: ago(*before), answer: *answer }).collect();
        let offers: Vec<_> = offers
            .iter()
            .map(|(before, end, after)| {
                let answered = matches!(end, OfferEnd::Accepted | OfferEnd::Declined);
                Offered { offered_at: ago(*before), end: *end, response_seconds: answered.then_some(*after) }
            })
            .collect();
        let figures = Figures::of(&week(), &exchanges, &offers, noon());

        let (mut backwards, mut offers_backwards) = (exchanges.clone(), offers.clone());
        backwards.reverse();
        offers_backwards.reverse();
        prop_assert_eq!(&Figures::of(&week(), &backwards, &offers_backwards, noon()), &figures);
        let inside: Vec<_> = exchanges.iter().copied().filter(|one| week().contains(one.required_at)).collect();
        prop_assert_eq!(&Figures::of(&week(), &inside, &offers, noon()), &figures);

        let given: Vec<i64> = inside
            .iter()
            .filter_map(|one| match one.answer { Answer::BySitter(after) => Some(after), _ => None })
            .collect();
        let count = i64::try_from(given.len()).unwrap_or(i64::MAX);
        prop_assert_eq!(figures.responses_given, count);
        prop_assert!(figures.responses_required >= figures.responses_given);
        prop_assert_eq!(figures.median_response_seconds.is_some(), !given.is_empty());
        if let (Some(median), Some(p90), Some(mean)) = (
            figures.median_response_seconds, figures.p90_response_seconds, figures.avg_response_seconds,
        ) {
            let within = |limit: i64| given.iter().filter(|after| **after <= limit).count();
            prop_assert!(2 * within(median) >= given.len());
            prop_assert!(10 * within(p90) >= 9 * given.len());
            prop_assert!(10 * within(p90 - 1) < 9 * given.len());
            let sum: i64 = given.iter().sum();
            prop_assert!((2 * mean - 1) * count <= 2 * sum && 2 * sum < (2 * mean + 1) * count);
        }
        for rate in [figures.response_rate(), figures.offer_accept_rate(), figures.offer_decline_rate()] {
            prop_assert!(rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)));
        }
    }
}
