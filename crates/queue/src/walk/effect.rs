//! The effect of a walk, which is performed in the steps of the model: the intent is committed, an answer arrives, the
//! answer is stored. In between, the future of [`perform`] waits within [`Performable::ask`].

use std::sync::Mutex;

use futures_util::future::BoxFuture;
use nightshift_db::{Clock, Db, Timestamp, Tx};
use nightshift_model::state::Answer as Modelled;
use tokio::sync::oneshot;

use crate::handlers::perform::{Answer, Attempt, Decision, Expired, Performable, Performed, Permit, perform, settle};
use crate::job::{JobError, JobResult, Mode, Outcome};
use crate::store::effects::{self, Effect};

/// What the effect is called in the ledger.
pub const KIND: &str = "walk";
pub const KEY: &str = "once";

type Line = (oneshot::Sender<()>, oneshot::Receiver<()>, oneshot::Receiver<Answer<String>>);

/// `None` to settle without a request.
struct Walked(Mutex<Option<Line>>);

impl Performable for Walked {
    const KIND: &'static str = KIND;
    type Request = ();
    type Error = String;

    fn key(&self) -> &str {
        KEY
    }

    async fn begin(&self, _: &mut Tx, _: Timestamp) -> Result<Decision<()>, JobError> {
        Ok(Decision::Ask { request: (), mode: Mode::Simulated })
    }

    async fn ask(&self, permit: Permit<()>) -> Result<Answer<String>, Expired> {
        let (reached, go, answer) = self.0.lock().unwrap().take().unwrap();
        reached.send(()).unwrap();
        go.await.unwrap();
        let () = permit.into_request()?;
        Ok(answer.await.unwrap())
    }

    async fn settle(&self, _: &mut Tx, answer: &Answer<String>, _: Timestamp) -> Result<JobResult, JobError> {
        Ok(match answer {
            Answer::Taken(_) => Ok(Outcome::done()),
            Answer::Refused(why) => Err(JobError::fail(why)),
            Answer::NotSent(why) | Answer::Unclear(why) => Err(JobError::retry(why)),
        })
    }
}

/// The job for which the effect is performed.
pub struct For {
    pub db: Db,
    pub clock: Clock,
    pub job: String,
}

impl For {
    fn attempt(&self) -> Attempt<'_> {
        Attempt { db: &self.db, clock: &self.clock, job_id: &self.job, job_kind: KIND }
    }
}

/// How far a run is with the effect.
pub enum Stage {
    None,
    /// The intent is committed and the request is not sent, or its answer is not stored.
    Asking {
        performing: BoxFuture<'static, Result<Performed, JobError>>,
        go: Option<oneshot::Sender<()>>,
        answer: oneshot::Sender<Answer<String>>,
    },
    /// An earlier attempt may have sent the request.
    Unclear(Option<Effect>),
    /// An earlier attempt is settled.
    Settled,
}

impl Stage {
    /// Commits the intent, or finds an earlier one.
    pub async fn intend(attempt: For) -> Self {
        let (reached, mut is_reached) = oneshot::channel();
        let (go, goes) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        let mut performing: BoxFuture<'static, _> = Box::pin(async move {
            let effect = Walked(Mutex::new(Some((reached, goes, answered))));
            perform(attempt.attempt(), &effect).await
        });
        tokio::select! {
            biased;
            performed = &mut performing => match performed.unwrap() {
                Performed::Unclear(record) => Self::Unclear(record),
                Performed::Settled(_) => Self::Settled,
                Performed::Ended(result) => panic!("nothing was asked, and the job ends with {result:?}"),
            },
            _ = &mut is_reached => Self::Asking { performing, go: Some(go), answer },
        }
    }

    /// Sends the request.
    pub async fn send(&mut self) {
        let Self::Asking { performing, go, .. } = self else { panic!("there is no permit") };
        go.take().unwrap().send(()).unwrap();
        tokio::select! {
            biased;
            performed = performing => panic!("the permit gave no request out: {performed:?}"),
            () = std::future::ready(()) => {}
        }
    }

    /// Finds that the permit has expired.
    pub async fn abstain(self) -> Self {
        let Self::Asking { performing, go, answer } = self else { panic!("there is no permit") };
        // A request that is sent nevertheless gets no answer, and panics.
        drop(answer);
        go.unwrap().send(()).unwrap();
        match performing.await.unwrap() {
            Performed::Unclear(record) => Self::Unclear(record),
            other => panic!("a permit that has expired ends with {other:?}"),
        }
    }

    /// Reads the record of the request that the provider is asked about.
    pub async fn ask_provider(db: &Db) -> Self {
        let mut tx = db.begin().await.unwrap();
        let record = effects::find(&mut tx, KIND, KEY).await.unwrap();
        tx.commit().await.unwrap();
        Self::Unclear(record)
    }

    /// Stores an answer. Returns how the job ends.
    pub async fn settle(self, attempt: For, answer: Modelled) -> JobResult {
        let answer = match answer {
            Modelled::Taken => Answer::Taken("reference".to_owned()),
            Modelled::Refused => Answer::Refused("refused".to_owned()),
            Modelled::NotSent => Answer::NotSent("not sent".to_owned()),
            Modelled::Unclear => Answer::Unclear("lost".to_owned()),
        };
        match self {
            Self::Asking { performing, answer: line, .. } => {
                line.send(answer).unwrap();
                match performing.await.unwrap() {
                    Performed::Ended(result) => result,
                    other => panic!("an answered request ends with {other:?}"),
                }
            }
            Self::Unclear(record) => {
                settle(attempt.attempt(), &Walked(Mutex::new(None)), record.as_ref(), &answer).await.unwrap()
            }
            Self::None | Self::Settled => panic!("there is nothing to settle"),
        }
    }
}
