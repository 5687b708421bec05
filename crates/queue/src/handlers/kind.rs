//! One kind of job in the registry, with the type of its payload erased.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use nightshift_db::Tx;

use crate::handlers::handler::{DeadJob, Following, Handler, Hooks, RetriedJob, Revival};
use crate::handlers::task::{self, RunTask, decode};
use crate::job::{Job, PayloadError, Policy, Subject};
use crate::store::claim::Claimed;

/// The handler, the hooks and the retry policy of one kind of job.
pub(crate) struct Kind {
    pub queue: &'static str,
    pub policy: Policy,
    pub run: RunTask,
    read: fn(&Claimed) -> Result<Arc<dyn Decoded>, PayloadError>,
}

impl Kind {
    /// Creates the kind of `J`. Its handler expects an `Arc<S>` in the data of its tasks.
    pub(crate) fn of<J: Handler<S>, S: Send + Sync + 'static>() -> Self {
        Self {
            queue: J::QUEUE,
            policy: J::policy(),
            run: task::run::<J, S>,
            read: |claimed| Ok(Arc::new(Typed::<J, J::Hooks>(decode(claimed)?, PhantomData))),
        }
    }

    /// Decodes the payload. A panic in the decoding code becomes an error, because it must not prevent the end or the
    /// retry of the job.
    pub(crate) fn read(&self, claimed: &Claimed) -> Result<Arc<dyn Decoded>, PayloadError> {
        catch_unwind(AssertUnwindSafe(|| (self.read)(claimed)))
            .unwrap_or_else(|_| Err(PayloadError("reading the payload panicked".to_owned())))
    }
}

/// A job whose payload is decoded and whose type is erased.
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
