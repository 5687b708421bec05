//! Performing an effect against a provider that counts, with a crash at any point of any attempt.

use std::sync::atomic::{AtomicUsize, Ordering};

use nightshift_db::{Timestamp, Tx};
use nightshift_queue::effects::{self, EffectState};
use nightshift_queue::effects::{Answer, Attempt, Performable, Performed, Permit, Turn, perform, settle};
use nightshift_queue::{JobError, JobResult, Mode, Outcome};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use tokio::sync::Notify;

use crate::bed::{Bed, on_both_engines};

const KIND: &str = "parcel";

/// Where an attempt dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crash {
    Never,
    BeforeTheIntent,
    BeforeTheRequest,
    AfterTheRequest,
    BeforeTheSettlement,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reply {
    Taken,
    Refused,
    NotSent,
    Unclear,
}

impl Reply {
    fn answer(self) -> Answer<&'static str> {
        match self {
            Self::Taken => Answer::Taken("P1".to_owned()),
            Self::Refused => Answer::Refused("no"),
            Self::NotSent => Answer::NotSent("unreachable"),
            Self::Unclear => Answer::Unclear("no answer".to_owned()),
        }
    }
}

/// One attempt: where it dies, what the provider answers, and what is found out when an earlier one was unclear.
#[derive(Debug, Clone, Copy)]
struct Step {
    crash: Crash,
    reply: Reply,
    found: Option<Reply>,
}

fn step() -> impl Strategy<Value = Step> {
    let crash = prop_oneof![
        4 => Just(Crash::Never),
        1 => Just(Crash::BeforeTheIntent),
        1 => Just(Crash::BeforeTheRequest),
        2 => Just(Crash::AfterTheRequest),
        2 => Just(Crash::BeforeTheSettlement),
    ];
    let reply = prop_oneof![Just(Reply::Taken), Just(Reply::Refused), Just(Reply::NotSent), Just(Reply::Unclear)];
    let found = prop_oneof![Just(None), Just(Some(Reply::NotSent)), Just(Some(Reply::Taken))];
    (crash, reply, found).prop_map(|(crash, reply, found)| Step { crash, reply, found })
}

struct Parcel {
    key: String,
    step: Step,
    requests: AtomicUsize,
    died: Notify,
}

impl Parcel {
    fn new(key: &str, step: Step) -> Self {
        Self { key: key.to_owned(), step, requests: AtomicUsize::new(0), died: Notify::new() }
    }

    async fn die(&self) -> ! {
        self.died.notify_one();
        std::future::pending().await
    }

    async fn die_at(&self, crash: Crash) {
        if self.step.crash == crash {
            self.die().await;
        }
    }
}

impl Performable for Parcel {
    const KIND: &'static str = KIND;
    type Request = String;
    type Error = &'static str;

    fn key(&self) -> &str {
        &self.key
    }

    async fn begin(&self, _: &mut Tx, _: Timestamp) -> Result<Turn<String>, JobError> {
        self.die_at(Crash::BeforeTheIntent).await;
        Ok(Turn::Ask { request: self.key.clone(), mode: Mode::Live })
    }

    async fn ask(&self, permit: Permit<String>) -> Answer<&'static str> {
        self.die_at(Crash::BeforeTheRequest).await;
        assert_eq!(permit.request(), &self.key);
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.die_at(Crash::AfterTheRequest).await;
        self.step.reply.answer()
    }

    async fn settle(&self, _: &mut Tx, _: &Answer<&'static str>, _: Timestamp) -> Result<JobResult, JobError> {
        self.die_at(Crash::BeforeTheSettlement).await;
        Ok(Ok(Outcome::done()))
    }
}

async fn state(bed: &Bed, key: &str) -> Option<EffectState> {
    let mut tx = bed.tx().await;
    let found = effects::find(&mut tx, KIND, key).await.unwrap();
    tx.rollback().await.unwrap();
    found.map(|effect| effect.state)
}

/// The state after a settlement that was committed.
fn settled_as(before: EffectState, reply: Reply) -> EffectState {
    match (before, reply) {
        (EffectState::Confirmed | EffectState::Refused, _) => before,
        (EffectState::Reserved, Reply::NotSent | Reply::Unclear) => before,
        (_, Reply::Taken) => EffectState::Confirmed,
        (_, Reply::Refused) => EffectState::Refused,
        (_, Reply::NotSent) => EffectState::Reserved,
        (_, Reply::Unclear) => EffectState::Unknown,
    }
}

/// Runs the attempts one after the other and holds each against what may happen.
async fn attempts(bed: &Bed, key: &str, steps: &[Step]) {
    let attempt = Attempt { db: &bed.db, clock: &bed.clock, job_id: "j1", job_kind: "parcel.send" };
    // Whether it is proven that no request has left so far.
    let mut none_left = true;
    for step in steps {
        let before = state(bed, key).await;
        let may_ask = matches!(before, None | Some(EffectState::Reserved));
        let parcel = Parcel::new(key, *step);
        let performed = tokio::select! {
            performed = perform(attempt, &parcel) => Some(performed.unwrap()),
            () = parcel.died.notified() => None,
        };
        let requests = parcel.requests.load(Ordering::SeqCst);
        let after = state(bed, key).await;
        assert!(requests == 0 || none_left, "a second request: {step:?} {before:?}");
        if requests > 0 {
            none_left = step.crash == Crash::Never && step.reply == Reply::NotSent;
        }
        if !may_ask {
            assert_eq!(requests, 0, "an earlier request may have left: {step:?} {before:?}");
            assert_eq!(after, before, "{step:?}");
        } else {
            let expected = match step.crash {
                Crash::BeforeTheIntent => before,
                Crash::BeforeTheRequest | Crash::AfterTheRequest | Crash::BeforeTheSettlement => {
                    Some(EffectState::Asked)
                }
                Crash::Never => Some(settled_as(EffectState::Asked, step.reply)),
            };
            assert_eq!(after, expected, "{step:?} {before:?}");
            let left = !matches!(step.crash, Crash::BeforeTheIntent | Crash::BeforeTheRequest);
            assert_eq!(requests, usize::from(left), "{step:?}");
        }
        match performed {
            Some(Performed::Unclear(record)) => {
                assert!(!may_ask, "{step:?} {before:?}");
                let (Some(found), Some(before)) = (step.found, before) else { continue };
                let prober = Parcel::new(key, Step { crash: Crash::Never, ..*step });
                settle(attempt, &prober, record.as_ref(), &found.answer()).await.unwrap().unwrap();
                assert_eq!(state(bed, key).await, Some(settled_as(before, found)), "{step:?} {before:?}");
                none_left |= found == Reply::NotSent && !before.is_settled();
            }
            Some(Performed::Ended(ended)) => {
                ended.unwrap();
                assert!(may_ask && step.crash == Crash::Never, "{step:?} {before:?}");
            }
            None => assert_ne!(step.crash, Crash::Never),
        }
    }
}

#[tokio::test]
async fn a_request_leaves_again_only_when_it_is_proven_that_none_left() {
    on_both_engines(async |bed| {
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
#[tokio::test]
async fn of_two_attempts_at_once_one_asks() {
    on_both_engines(async |bed| {
        let attempt = Attempt { db: &bed.db, clock: &bed.clock, job_id: "j1", job_kind: "parcel.send" };
        let taken = Step { crash: Crash::Never, reply: Reply::Taken, found: None };
        let (one, other) = (Parcel::new("twice", taken), Parcel::new("twice", taken));
        let (first, second) = tokio::join!(perform(attempt, &one), perform(attempt, &other));
        let unclear = [first.unwrap(), second.unwrap()].iter().filter(|p| matches!(p, Performed::Unclear(_))).count();
        assert_eq!(unclear, 1);
        assert_eq!(one.requests.load(Ordering::SeqCst) + other.requests.load(Ordering::SeqCst), 1);
    })
    .await;
}
