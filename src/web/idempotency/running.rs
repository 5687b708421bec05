//! The requests with an `Idempotency-Key` that this process runs.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nightshift_domain::idempotency::Holder;

pub struct Running {
    /// A name that no other process has or had.
    process: String,
    requests: Mutex<HashSet<String>>,
}

impl Running {
    /// Creates an empty set for the process named `process`.
    #[must_use]
    pub fn of(process: String) -> Self {
        Self { process, requests: Mutex::default() }
    }

    fn requests(&self) -> MutexGuard<'_, HashSet<String>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, request: String) -> Holder {
        self.requests().insert(request.clone());
        Holder { process: self.process.clone(), request }
    }

    pub(super) fn end(&self, holder: &Holder) {
        self.requests().remove(&holder.request);
    }

    /// Returns whether `holder` was a request of this process and has ended. Requests of other processes count as
    /// running.
    pub(super) fn is_over(&self, holder: &Holder) -> bool {
        holder.process == self.process && !self.requests().contains(&holder.request)
    }
}
