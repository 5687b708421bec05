//! Performing an effect against a provider that counts, with a crash or an error at any point of any attempt, and with
//! attempts that are frozen and go on when others have found out what became of them.
//!
//! Each case has a row of its own beside the ledger. The two must say the same whatever happened.

mod parcel;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use nightshift_queue::effects::{Attempt, EffectState, PERMIT_LASTS, Performed, perform, settle};
use nightshift_queue::{JobError, Outcome};
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
        2 => Just(Break::FrozenBeforeTheRequest),
        2 => Just(Break::FrozenAfterTheRequest),
    ];
    let reply = || prop_oneof![Just(Reply::Taken), Just(Reply::Refused), Just(Reply::NotSent), Just(Reply::Unclear)];
    let probe = prop_oneof![
        3 => Just(Break::Never),
        1 => Just(Break::InSettle),
        1 => Just(Break::SettleFails),
        1 => Just(Break::SettlementFails),
    ];
    let found = prop::option::weighted(0.7, (reply(), probe));
    let thaws = prop::bool::weighted(0.3);
    (decision, broken, reply(), found, thaws).prop_map(|(decision, broken, reply, found, thaws)| Step {
        decision,
        broken,
        reply,
        found,
        thaws,
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
        (Break::BeforeTheRequest | Break::FrozenBeforeTheRequest, _) => (asked, true, 0, Expected::Died),
        (Break::AfterTheRequest | Break::InSettle | Break::FrozenAfterTheRequest, _) => {
            (asked, true, 1, Expected::Died)
        }
        (Break::SettleFails | Break::SettlementFails, _) => (asked, true, 1, Expected::Failed),
        (Break::Never, _) => (Some(settled_as(EffectState::Asked, step.reply)), true, 1, Expected::Ended),
    }
}

/// An attempt that was frozen after its intent was committed.
struct Frozen<'a> {
    parcel: Arc<Parcel<'a>>,
    attempt: Pin<Box<dyn Future<Output = Result<Performed, JobError>> + 'a>>,
    step: Step,
    /// The number of its request.
    request: usize,
    frozen_at: Timestamp,
}

/// What is known of a case.
struct Known {
    /// Whether it is proven that no request has left so far.
    none_left: bool,
    /// The number of the last request whose intent was committed.
    last_request: usize,
}

impl Frozen<'_> {
    /// Goes on, and holds what happens against what may happen.
    async fn thaw(self, bed: &Bed, key: &str, known: &mut Known) {
        let Self { parcel, attempt, step, request, frozen_at } = self;
        let when = format!("frozen: {step:?}, request {request} of {}", known.last_request);
        // The ledger does not fail for it.
        Parcel::new(&bed.db, key, Step { broken: Break::Never, ..step }).await;
        let before = stored(&bed.db, key).await;
        let sent_before = parcel.requests.load(Ordering::SeqCst);
        parcel.thawed.notify_one();
        let ended = attempt.await.unwrap();
        let sent = parcel.requests.load(Ordering::SeqCst) - sent_before;
        assert!(sent == 0 || known.none_left, "a second request: {when}");
        let expired = bed.clock.now().since(frozen_at) > PERMIT_LASTS;
        let asks = step.broken == Break::FrozenBeforeTheRequest && !expired;
        assert_eq!(sent, usize::from(asks), "{when}");
        let (ended, reply) = match ended {
            Performed::Ended(ended) => (ended, step.reply),
            Performed::Unclear(Some(record)) => {
                assert!(sent_before == 0 && expired, "{when}");
                assert_eq!(stored(&bed.db, key).await, before, "{when}");
                let unclear = Reply::Unclear.answer();
                (settle(at(bed), &*parcel, Some(&record), &unclear).await.unwrap(), Reply::Unclear)
            }
            other => panic!("{other:?}: {when}"),
        };
        let after = stored(&bed.db, key).await;
        let counts = reply == Reply::Taken || request == known.last_request;
        let settled = |state| if counts { settled_as(state, reply) } else { state };
        let expected = Stored { ledger: before.ledger.map(settled), row: settled(before.row), ..before };
        assert_eq!(after, expected, "{before:?} {when}");
        assert_eq!(ended.is_ok(), reply == Reply::Taken, "{when}");
        if asks {
            known.none_left = false;
        }
        known.none_left |= reply == Reply::NotSent && counts && before.ledger.is_some_and(|state| !state.is_settled());
    }
}

fn at(bed: &Bed) -> Attempt<'_> {
    Attempt { db: &bed.db, clock: &bed.clock, job_id: "j1", job_kind: "parcel.send" }
}

/// Runs the attempts one after the other and holds each against what may happen.
async fn attempts(bed: &Bed, key: &str, steps: &[Step]) {
    let mut known = Known { none_left: true, last_request: 0 };
    let mut frozen: Vec<Frozen<'_>> = Vec::new();
    for step in steps {
        let parcel = Arc::new(Parcel::new(&bed.db, key, *step).await);
        let before = stored(&bed.db, key).await;
        let frozen_at = bed.clock.now();
        let mut attempt: Pin<Box<dyn Future<Output = _>>> = Box::pin({
            let parcel = parcel.clone();
            async move { perform(at(bed), &*parcel).await }
        });
        let end = parcel.unless_it_dies(&mut attempt).await;
        let requests = parcel.requests.load(Ordering::SeqCst);
        let after = stored(&bed.db, key).await;
        assert!(requests == 0 || known.none_left, "a second request: {step:?} {before:?}");
        let reserved = matches!(before.ledger, None | Some(EffectState::Reserved));
        if reserved
            && step.decision == Plan::Ask
            && !matches!(step.broken, Break::InBegin | Break::BeginFails | Break::IntentFails)
        {
            known.last_request += 1;
        }
        if requests > 0 {
            known.none_left = step.broken == Break::Never && step.reply == Reply::NotSent;
        }
        let is_frozen = matches!(step.broken, Break::FrozenBeforeTheRequest | Break::FrozenAfterTheRequest);
        if is_frozen && matches!(end, End::Died) {
            let (parcel, request) = (parcel.clone(), known.last_request);
            frozen.push(Frozen { parcel, attempt, step: *step, request, frozen_at });
        } else {
            drop(attempt);
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
        if let Some((record, (reply, broken))) = found {
            // Whoever asks the provider waits until what it does not know proves something.
            bed.clock.advance(PERMIT_LASTS + Duration::from_millis(1));
            let before = after;
            let prober = Parcel::new(&bed.db, key, Step { broken, ..*step }).await;
            let end = prober.unless_it_dies(settle(at(bed), &prober, record.as_ref(), &reply.answer())).await;
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
                    known.none_left |=
                        reply == Reply::NotSent && before.ledger.is_some_and(|state| !state.is_settled());
                    // Without a record only the row changed: the two differ from here on.
                    if after.ledger.is_none() {
                        return;
                    }
                }
            }
        }
        if step.thaws {
            for frozen in frozen.drain(..) {
                frozen.thaw(bed, key, &mut known).await;
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
        prepare(&bed.db).await;
        let taken = Step { decision: Plan::Ask, broken: Break::Never, reply: Reply::Taken, found: None, thaws: false };
        let (one, other) = (Parcel::new(&bed.db, "twice", taken).await, Parcel::new(&bed.db, "twice", taken).await);
        let (first, second) = tokio::join!(perform(at(&bed), &one), perform(at(&bed), &other));
        // The other one comes before or after the answer is stored.
        let ended = [first.unwrap(), second.unwrap()].iter().filter(|p| matches!(p, Performed::Ended(_))).count();
        assert_eq!(ended, 1);
        assert_eq!(one.requests.load(Ordering::SeqCst) + other.requests.load(Ordering::SeqCst), 1);
    })
    .await;
}
