//! Performing an effect against a provider that counts, with a crash or an error at any point of any attempt.
//!
//! Each case has a row of its own beside the ledger. The two must say the same whatever happened.

mod parcel;

use std::sync::atomic::Ordering;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_queue::Outcome;
use nightshift_queue::effects::{Attempt, EffectState, Performed, perform, settle};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use self::parcel::{Break, End, Parcel, Plan, Reply, Step, Stored, prepare, settled_as, stored};
use crate::bed::{Bed, on};

each_engine! {
    a_request_leaves_again_only_when_it_is_proven_that_none_left,
    of_two_attempts_at_once_one_asks,
}

fn step() -> impl Strategy<Value = Step> {
    let decision = prop_oneof![6 => Just(Plan::Ask), 1 => Just(Plan::Unclear), 1 => Just(Plan::Over)];
    let broken = prop_oneof![
        5 => Just(Break::Never),
        1 => Just(Break::InBegin),
        1 => Just(Break::BeginFails),
        1 => Just(Break::IntentFails),
        1 => Just(Break::BeforeTheRequest),
        2 => Just(Break::AfterTheRequest),
        2 => Just(Break::InSettle),
        1 => Just(Break::SettleFails),
        1 => Just(Break::SettlementFails),
    ];
    let reply = || prop_oneof![Just(Reply::Taken), Just(Reply::Refused), Just(Reply::NotSent), Just(Reply::Unclear)];
    let probe = prop_oneof![
        3 => Just(Break::Never),
        1 => Just(Break::InSettle),
        1 => Just(Break::SettleFails),
        1 => Just(Break::SettlementFails),
    ];
    let found = prop::option::weighted(0.7, (reply(), probe));
    (decision, broken, reply(), found).prop_map(|(decision, broken, reply, found)| Step {
        decision,
        broken,
        reply,
        found,
    })
}

/// How an attempt has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Died,
    Failed,
    /// The job ends as `settle` says.
    Ended,
    /// The job ends as `begin` says.
    Over,
    /// The ledger knows how an earlier attempt ended.
    Settled,
    Unclear,
}

/// The ledger's state after an attempt, whether `begin` is committed, the number of requests, and the end.
fn expected(before: Option<EffectState>, step: Step) -> (Option<EffectState>, bool, usize, Expected) {
    let asked = Some(EffectState::Asked);
    let earlier = if before.is_some_and(EffectState::is_settled) { Expected::Settled } else { Expected::Unclear };
    match (step.broken, step.decision) {
        (Break::InBegin, _) => (before, false, 0, Expected::Died),
        (Break::BeginFails, _) => (before, false, 0, Expected::Failed),
        (_, Plan::Over) => (before, true, 0, Expected::Over),
        (_, Plan::Unclear) => (before, true, 0, earlier),
        (_, Plan::Ask) if !matches!(before, None | Some(EffectState::Reserved)) => (before, true, 0, earlier),
        (Break::IntentFails, _) => (before, false, 0, Expected::Failed),
        (Break::BeforeTheRequest, _) => (asked, true, 0, Expected::Died),
        (Break::AfterTheRequest | Break::InSettle, _) => (asked, true, 1, Expected::Died),
        (Break::SettleFails | Break::SettlementFails, _) => (asked, true, 1, Expected::Failed),
        (Break::Never, _) => (Some(settled_as(EffectState::Asked, step.reply)), true, 1, Expected::Ended),
    }
}

/// Runs the attempts one after the other and holds each against what may happen.
async fn attempts(bed: &Bed, key: &str, steps: &[Step]) {
    let attempt = Attempt { db: &bed.db, clock: &bed.clock, job_id: "j1", job_kind: "parcel.send" };
    // Whether it is proven that no request has left so far.
    let mut none_left = true;
    for step in steps {
        let parcel = Parcel::new(&bed.db, key, *step).await;
        let before = stored(&bed.db, key).await;
        let end = parcel.unless_it_dies(perform(attempt, &parcel)).await;
        let requests = parcel.requests.load(Ordering::SeqCst);
        let after = stored(&bed.db, key).await;
        assert!(requests == 0 || none_left, "a second request: {step:?} {before:?}");
        if requests > 0 {
            none_left = step.broken == Break::Never && step.reply == Reply::NotSent;
        }
        let (ledger, begun, expected_requests, expected_end) = expected(before.ledger, *step);
        let row = ledger.unwrap_or(EffectState::Reserved);
        let expected = Stored { ledger, row, begun: before.begun + i64::from(begun) };
        assert_eq!(after, expected, "{step:?} {before:?}");
        assert_eq!(requests, expected_requests, "{step:?} {before:?}");
        let (found, seen) = match end {
            End::Died => (None, Expected::Died),
            End::Failed => (None, Expected::Failed),
            End::Ok(Performed::Ended(Ok(Outcome::Skip(_)))) => (None, Expected::Over),
            End::Ok(Performed::Ended(ended)) => {
                assert_eq!(ended.is_ok(), step.reply == Reply::Taken, "{step:?}");
                (None, Expected::Ended)
            }
            // Settled again it must stay as it is: whoever found it unclear may have been overtaken.
            End::Ok(Performed::Settled(record)) => {
                assert_eq!(Some(record.state), before.ledger, "{step:?}");
                (step.found.map(|found| (Some(record), found)), Expected::Settled)
            }
            End::Ok(Performed::Unclear(record)) => {
                assert_eq!(record.as_ref().map(|record| record.state), before.ledger, "{step:?}");
                (step.found.map(|found| (record, found)), Expected::Unclear)
            }
        };
        assert_eq!(seen, expected_end, "{step:?} {before:?}");
        let Some((record, (reply, broken))) = found else { continue };

        let before = after;
        let prober = Parcel::new(&bed.db, key, Step { broken, ..*step }).await;
        let end = prober.unless_it_dies(settle(attempt, &prober, record.as_ref(), &reply.answer())).await;
        let (row, ledger) = (settled_as(before.row, reply), before.ledger.map(|state| settled_as(state, reply)));
        // Where the ledger has nothing to change it does not fail.
        let fails = broken == Break::SettleFails || (broken == Break::SettlementFails && ledger != before.ledger);
        let after = stored(&bed.db, key).await;
        match end {
            End::Died => assert_eq!((broken, after), (Break::InSettle, before), "{step:?}"),
            End::Failed => assert_eq!((fails, after), (true, before), "{step:?}"),
            End::Ok(ended) => {
                assert!(!fails && broken != Break::InSettle, "{step:?} {before:?}");
                assert_eq!(ended.is_ok(), reply == Reply::Taken, "{step:?}");
                assert_eq!(after, Stored { row, ledger, ..before }, "{step:?} {before:?}");
                none_left |= reply == Reply::NotSent && before.ledger.is_some_and(|state| !state.is_settled());
                // Without a record only the row changed: the two differ from here on.
                if after.ledger.is_none() {
                    return;
                }
            }
        }
    }
}

async fn a_request_leaves_again_only_when_it_is_proven_that_none_left(engine: Engine) {
    on(engine, async |bed| {
        prepare(&bed.db).await;
        let mut runner = TestRunner::new(Config::default());
        for case in 0..60 {
            let steps = prop::collection::vec(step(), 1..8).new_tree(&mut runner).unwrap().current();
            eprintln!("case {case}: {steps:?}");
            attempts(&bed, &format!("case-{case}"), &steps).await;
        }
    })
    .await;
}

/// Two workers hold the same job, as when a lease was lost: one of them asks.
async fn of_two_attempts_at_once_one_asks(engine: Engine) {
    on(engine, async |bed| {
        let attempt = Attempt { db: &bed.db, clock: &bed.clock, job_id: "j1", job_kind: "parcel.send" };
        prepare(&bed.db).await;
        let taken = Step { decision: Plan::Ask, broken: Break::Never, reply: Reply::Taken, found: None };
        let (one, other) = (Parcel::new(&bed.db, "twice", taken).await, Parcel::new(&bed.db, "twice", taken).await);
        let (first, second) = tokio::join!(perform(attempt, &one), perform(attempt, &other));
        // The other one comes before or after the answer is stored.
        let ended = [first.unwrap(), second.unwrap()].iter().filter(|p| matches!(p, Performed::Ended(_))).count();
        assert_eq!(ended, 1);
        assert_eq!(one.requests.load(Ordering::SeqCst) + other.requests.load(Ordering::SeqCst), 1);
    })
    .await;
}
