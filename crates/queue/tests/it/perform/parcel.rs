//! A parcel to send once: the scripted effect, and a row that moves with the ledger's.

use std::sync::atomic::{AtomicUsize, Ordering};

use nightshift_db::{Db, Engine, Timestamp, Tx};
use nightshift_queue::effects::{Answer, Decision, EffectState, Expired, Performable, Permit};
use nightshift_queue::{JobError, JobResult, Mode, Outcome};
use tokio::sync::Notify;

const KIND: &str = "parcel";

/// Where an attempt ends before its time. `In`, `Before` and `After` are crashes; what fails, fails with an error; what
/// is frozen may go on later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    Never,
    InBegin,
    BeginFails,
    /// The ledger's statement for the intent fails.
    IntentFails,
    BeforeTheRequest,
    AfterTheRequest,
    InSettle,
    SettleFails,
    /// The ledger's statement for the settlement fails.
    SettlementFails,
    FrozenBeforeTheRequest,
    FrozenAfterTheRequest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    Taken,
    Refused,
    NotSent,
    Unclear,
}

impl Reply {
    pub fn answer(self) -> Answer<&'static str> {
        match self {
            Self::Taken => Answer::Taken("P1".to_owned()),
            Self::Refused => Answer::Refused("no"),
            Self::NotSent => Answer::NotSent("unreachable"),
            Self::Unclear => Answer::Unclear("no answer".to_owned()),
        }
    }

    fn of(answer: &Answer<&'static str>) -> Self {
        match answer {
            Answer::Taken(_) => Self::Taken,
            Answer::Refused(_) => Self::Refused,
            Answer::NotSent(_) => Self::NotSent,
            Answer::Unclear(_) => Self::Unclear,
        }
    }
}

/// What `begin` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    Ask,
    Unclear,
    Over,
}

/// One attempt: what `begin` decides, where it breaks, what the provider answers. `found` is what is found out when an
/// earlier attempt was unclear, and where settling that breaks.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    pub decision: Plan,
    pub broken: Break,
    pub reply: Reply,
    pub found: Option<(Reply, Break)>,
    /// Whether all frozen attempts go on after this one.
    pub thaws: bool,
}

/// The state after a settlement that was committed.
pub fn settled_as(before: EffectState, reply: Reply) -> EffectState {
    match (before, reply) {
        (EffectState::Confirmed | EffectState::Refused, _) => before,
        (EffectState::Reserved, Reply::NotSent | Reply::Unclear) => before,
        (_, Reply::Taken) => EffectState::Confirmed,
        (_, Reply::Refused) => EffectState::Refused,
        (_, Reply::NotSent) => EffectState::Reserved,
        (_, Reply::Unclear) => EffectState::Unknown,
    }
}

fn word(state: EffectState) -> &'static str {
    match state {
        EffectState::Reserved => "reserved",
        EffectState::Asked => "asked",
        EffectState::Confirmed => "confirmed",
        EffectState::Refused => "refused",
        EffectState::Unknown => "unknown",
    }
}

fn state(word: &str) -> EffectState {
    use EffectState as E;
    let states = [E::Reserved, E::Asked, E::Confirmed, E::Refused, E::Unknown];
    states.into_iter().find(|state| self::word(*state) == word).unwrap()
}

/// Makes the rows of parcels, and a ledger that fails as the row of its parcel says.
pub async fn prepare(db: &Db) {
    let table = "CREATE TABLE parcels (id TEXT PRIMARY KEY, state TEXT NOT NULL DEFAULT 'reserved',
                                       begun BIGINT NOT NULL DEFAULT 0, ledger_fails TEXT)";
    let trigger: &[&'static str] = match db.engine() {
        Engine::Sqlite => &["CREATE TRIGGER fail_ledger BEFORE UPDATE OF state ON effects
             WHEN EXISTS (SELECT 1 FROM parcels WHERE id = NEW.business_key
                          AND ledger_fails = CASE NEW.state WHEN 'asked' THEN 'intent' ELSE 'settlement' END)
             BEGIN SELECT RAISE(ABORT, 'the ledger fails'); END"],
        Engine::Postgres => &[
            "CREATE FUNCTION fail_ledger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               IF EXISTS (SELECT 1 FROM parcels WHERE id = NEW.business_key
                          AND ledger_fails = CASE NEW.state WHEN 'asked' THEN 'intent' ELSE 'settlement' END)
               THEN RAISE EXCEPTION 'the ledger fails'; END IF;
               RETURN NEW; END $$",
            "CREATE TRIGGER fail_ledger BEFORE UPDATE OF state ON effects FOR EACH ROW EXECUTE FUNCTION fail_ledger()",
        ],
    };
    for sql in [table].iter().chain(trigger) {
        db.write(sql).execute().await.unwrap();
    }
}

/// What is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub ledger: Option<EffectState>,
    pub row: EffectState,
    /// How often `begin` was committed.
    pub begun: i64,
}

pub async fn stored(db: &Db, key: &str) -> Stored {
    let (ledger, row, begun): (Option<String>, String, i64) = db
        .read(
            "SELECT effects.state, parcels.state, parcels.begun FROM parcels
             LEFT JOIN effects ON effects.kind = 'parcel' AND effects.business_key = parcels.id WHERE parcels.id = $1",
        )
        .bind(key)
        .one()
        .await
        .unwrap();
    Stored { ledger: ledger.as_deref().map(state), row: state(&row), begun }
}

pub struct Parcel<'a> {
    db: &'a Db,
    key: &'a str,
    step: Step,
    pub requests: AtomicUsize,
    died: Notify,
    /// Lets a frozen attempt go on.
    pub thawed: Notify,
}

impl<'a> Parcel<'a> {
    pub async fn new(db: &'a Db, key: &'a str, step: Step) -> Self {
        let ledger_fails = match step.broken {
            Break::IntentFails => Some("intent"),
            Break::SettlementFails => Some("settlement"),
            _ => None,
        };
        db.write(
            "INSERT INTO parcels (id, ledger_fails) VALUES ($1, $2)
             ON CONFLICT (id) DO UPDATE SET ledger_fails = EXCLUDED.ledger_fails",
        )
        .bind(key)
        .bind(ledger_fails)
        .execute()
        .await
        .unwrap();
        Self { db, key, step, requests: AtomicUsize::new(0), died: Notify::new(), thawed: Notify::new() }
    }

    async fn die_at(&self, point: Break) {
        if self.step.broken == point {
            self.died.notify_one();
            std::future::pending().await
        }
    }

    async fn freeze_at(&self, point: Break) {
        if self.step.broken == point {
            self.died.notify_one();
            self.thawed.notified().await;
        }
    }

    fn fail_at(&self, point: Break) -> Result<(), JobError> {
        if self.step.broken == point { Err(JobError::retry("scripted")) } else { Ok(()) }
    }

    /// Waits for what comes of an attempt, or until it has died or is frozen.
    pub async fn unless_it_dies<T>(&self, attempt: impl Future<Output = Result<T, JobError>>) -> End<T> {
        tokio::select! {
            ended = attempt => match ended {
                Ok(value) => End::Ok(value),
                Err(_) => End::Failed,
            },
            () = self.died.notified() => End::Died,
        }
    }
}

/// How an attempt ended.
#[derive(Debug)]
pub enum End<T> {
    Ok(T),
    Failed,
    Died,
}

impl Performable for Parcel<'_> {
    const KIND: &'static str = KIND;
    type Request = String;
    type Error = &'static str;

    fn key(&self) -> &str {
        self.key
    }

    async fn begin(&self, tx: &mut Tx, _: Timestamp) -> Result<Decision<String>, JobError> {
        tx.query("UPDATE parcels SET begun = begun + 1 WHERE id = $1").bind(self.key).execute().await?;
        if self.step.decision == Plan::Ask {
            tx.query("UPDATE parcels SET state = 'asked' WHERE id = $1 AND state = 'reserved'")
                .bind(self.key)
                .execute()
                .await?;
        }
        self.die_at(Break::InBegin).await;
        self.fail_at(Break::BeginFails)?;
        Ok(match self.step.decision {
            Plan::Ask => Decision::Ask { request: self.key.to_owned(), mode: Mode::Live },
            Plan::Unclear => Decision::Unclear,
            Plan::Over => Decision::Over(Ok(Outcome::skip("over"))),
        })
    }

    async fn ask(&self, permit: Permit<String>) -> Result<Answer<&'static str>, Expired> {
        self.die_at(Break::BeforeTheRequest).await;
        self.freeze_at(Break::FrozenBeforeTheRequest).await;
        assert_eq!(permit.into_request()?, self.key);
        let stored = stored(self.db, self.key).await;
        assert_eq!((stored.ledger, stored.row), (Some(EffectState::Asked), EffectState::Asked), "a request left early");
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.die_at(Break::AfterTheRequest).await;
        self.freeze_at(Break::FrozenAfterTheRequest).await;
        Ok(self.step.reply.answer())
    }

    async fn settle(&self, tx: &mut Tx, answer: &Answer<&'static str>, _: Timestamp) -> Result<JobResult, JobError> {
        let select = "SELECT state FROM parcels WHERE id = $1";
        let before: String = tx.query(select).bind(self.key).scalar().await?;
        let after = settled_as(state(&before), Reply::of(answer));
        tx.query("UPDATE parcels SET state = $2 WHERE id = $1").bind(self.key).bind(word(after)).execute().await?;
        self.die_at(Break::InSettle).await;
        self.fail_at(Break::SettleFails)?;
        // A job that ends with an error has settled its effect all the same.
        Ok(match answer {
            Answer::Taken(_) => Ok(Outcome::done()),
            other => Err(JobError::retry(format!("{other:?}"))),
        })
    }
}
