//! The life cycle against a small model: whatever happens in whatever order, the promises hold.

use nightshift_db::Timestamp;
use nightshift_queue::ErrorClass;
use nightshift_queue::lifecycle::{CRASHES_MAX, Event, Life, State, apply};
use proptest::prelude::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(ms)
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => Just(Event::Claim),
        2 => Just(Event::Done),
        3 => (0..100_i64, prop::option::of(0..400_i64))
            .prop_map(|(t, until)| Event::Poll { at: at(t), until: until.map(at) }),
        4 => (0..100_i64).prop_map(|t| Event::Fail { class: ErrorClass::Transient, retry_at: Some(at(t)) }),
        1 => Just(Event::Fail { class: ErrorClass::Permanent, retry_at: None }),
        2 => Just(Event::LeaseLost),
        2 => Just(Event::Release),
        1 => Just(Event::Park),
        1 => Just(Event::Cancel),
        1 => (0..100_i64).prop_map(|t| Event::Retry { run_at: at(t) }),
        1 => Just(Event::RunNow),
    ]
}

/// What must be counted, kept by the plainest means.
#[derive(Default)]
struct Model {
    failures: i64,
    crashes: i64,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn any_history_keeps_the_promises(events in prop::collection::vec((event(), 0..20_i64), 1..40), max_attempts in 1..5_i64) {
        let mut now = 0;
        let mut model = Model::default();
        let mut life = Life {
            state: State::Queued, attempts: 0, max_attempts, crashes: 0, polls: 0,
            run_at: at(0), poll_deadline: None, cancel_requested: false, parked: false,
        };
        for (event, step) in events {
            now += step;
            let before = life.clone();
            let Ok(change) = apply(&life, &event, at(now)) else {
                continue;
            };
            let after = change.life.clone();

            // Nothing leaves an end but a person's retry, and success has no way out at all.
            if before.state.is_final() {
                let retried = matches!(event, Event::Retry { .. });
                prop_assert!(retried && before.state != State::Succeeded);
            }
            // Only due, unparked, waiting jobs are claimed; only running ones end.
            if event == Event::Claim {
                prop_assert!(before.state.is_claimable() && before.run_at <= at(now) && !before.parked);
            }
            if matches!(after.state, State::Succeeded | State::Dead) {
                prop_assert_eq!(before.state, State::Running);
            }
            match &event {
                Event::Retry { .. } => model = Model::default(),
                Event::Fail { .. } => model.failures += 1,
                Event::LeaseLost => model.crashes += 1,
                _ => {}
            }
            // Failures alone spend the budget; crashes are counted apart and capped.
            let spent = model.failures + i64::from(after.state == State::Succeeded)
                + i64::from(matches!(event, Event::Poll { .. }) && after.state == State::Dead);
            prop_assert_eq!(after.attempts, spent);
            prop_assert!(after.attempts <= max_attempts.max(1));
            prop_assert_eq!(after.crashes, model.crashes);
            prop_assert!(after.crashes <= CRASHES_MAX);
            prop_assert!(after.crashes < CRASHES_MAX || after.state == State::Dead);
            // A wish to cancel is never followed by another wait.
            if before.cancel_requested && before.state == State::Running {
                prop_assert!(after.state.is_final() || after.cancel_requested);
                prop_assert!(!after.state.is_claimable());
            }
            // An attempt goes into the history exactly when it ended without success.
            let ended_badly = matches!(event, Event::Fail { .. } | Event::LeaseLost)
                || (before.state == State::Running && matches!(after.state, State::Dead | State::Cancelled));
            prop_assert_eq!(change.attempt.is_some(), ended_badly);
            // Polls never go beyond their deadline.
            if let (Event::Poll { at: next, .. }, Some(deadline)) = (&event, after.poll_deadline) {
                prop_assert!(*next <= deadline || after.state == State::Dead);
            }
            life = after;
        }
    }
}
