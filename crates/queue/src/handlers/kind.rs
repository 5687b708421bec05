//! One kind of job as a worker keeps it: the types are gone, and payloads are read here.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

use nightshift_db::Tx;

use crate::handlers::context::JobContext;
use crate::handlers::handler::{DeadJob, Following, Handler, Hooks, RetriedJob, Revival};
use crate::job::{Job, JobResult, PayloadError, Policy, Subject};
use crate::store::claim::Claimed;

pub(crate) type Running = Pin<Box<dyn Future<Output = JobResult> + Send>>;

/// How jobs of a kind are run and what their end means.
pub(crate) struct Kind<S> {
    pub queue: &'static str,
    pub policy: Policy,
    run: fn(&Claimed, JobContext<S>) -> Result<Running, PayloadError>,
    read: fn(&Claimed) -> Result<Arc<dyn Decoded>, PayloadError>,
}

impl<S: Send + Sync + 'static> Kind<S> {
    pub(crate) fn of<J: Handler<S>>() -> Self {
        Self {
            queue: J::QUEUE,
            policy: J::policy(),
            run: |claimed, context| {
                let running: Running = Box::pin(decode::<J>(claimed)?.run(context));
                Ok(running)
            },
            read: |claimed| Ok(Arc::new(Typed::<J, J::Hooks>(decode(claimed)?, PhantomData))),
        }
    }

    /// Reads the payload and begins the run. Both are code of the kind's own, so both may panic.
    pub(crate) fn run(&self, claimed: &Claimed, context: JobContext<S>) -> Result<Running, PayloadError> {
        (self.run)(claimed, context)
    }

    /// Reads the payload. A panic of the code that does is caught: the job has ended, or is to be started anew, whatever
    /// it holds.
    pub(crate) fn read(&self, claimed: &Claimed) -> Result<Arc<dyn Decoded>, PayloadError> {
        catch_unwind(AssertUnwindSafe(|| (self.read)(claimed)))
            .unwrap_or_else(|_| Err(PayloadError("reading the payload panicked".to_owned())))
    }
}

/// A job that was read, without its type.
pub(crate) trait Decoded: Send + Sync {
    fn subject(&self) -> Option<Subject>;
    fn on_dead<'a>(&'a self, tx: &'a mut Tx, dead: &'a DeadJob) -> Following<'a, ()>;
    fn on_retry<'a>(&'a self, tx: &'a mut Tx, retried: &'a RetriedJob) -> Following<'a, Revival>;
}

struct Typed<J, H>(J, PhantomData<fn() -> H>);

impl<J: Job, H: Hooks<J> + 'static> Decoded for Typed<J, H> {
    fn subject(&self) -> Option<Subject> {
        self.0.subject()
    }

    fn on_dead<'a>(&'a self, tx: &'a mut Tx, dead: &'a DeadJob) -> Following<'a, ()> {
        Box::pin(H::on_dead(&self.0, tx, dead))
    }

    fn on_retry<'a>(&'a self, tx: &'a mut Tx, retried: &'a RetriedJob) -> Following<'a, Revival> {
        Box::pin(H::on_retry(&self.0, tx, retried))
    }
}

fn decode<J: Job>(claimed: &Claimed) -> Result<J, PayloadError> {
    // serde's message names the field and the position, and of the content only a single wrong token.
    let unreadable = |error: serde_json::Error| PayloadError(format!("the payload can't be read: {error}"));
    match claimed.payload_version {
        version if version == J::VERSION => serde_json::from_str(&claimed.payload).map_err(unreadable),
        version if version < J::VERSION => {
            let old = serde_json::from_str(&claimed.payload).map_err(unreadable)?;
            serde_json::from_value(J::upcast(version, old)?).map_err(unreadable)
        }
        version => Err(PayloadError(format!("payload version {version} is newer than this program's {}", J::VERSION))),
    }
}
