//! One kind of job as a worker keeps it: the type of its payload is gone.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use nightshift_db::Tx;

use crate::handlers::handler::{DeadJob, Following, Handler, Hooks, RetriedJob, Revival};
use crate::handlers::task::{self, RunTask, decode};
use crate::job::{Job, PayloadError, Policy, Subject};
use crate::store::claim::Claimed;

/// How jobs of a kind are run and what their end means.
pub(crate) struct Kind {
    pub queue: &'static str,
    pub policy: Policy,
    pub run: RunTask,
    read: fn(&Claimed) -> Result<Arc<dyn Decoded>, PayloadError>,
}

impl Kind {
    /// The kind of `J`, whose handler finds an `Arc<S>` in the data of its tasks.
    pub(crate) fn of<J: Handler<S>, S: Send + Sync + 'static>() -> Self {
        Self {
            queue: J::QUEUE,
            policy: J::policy(),
            run: task::run::<J, S>,
            read: |claimed| Ok(Arc::new(Typed::<J, J::Hooks>(decode(claimed)?, PhantomData))),
        }
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
