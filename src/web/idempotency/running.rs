//! Which requests with an `Idempotency-Key` this process runs.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nightshift_domain::idempotency::Holder;

/// The requests with a key that this process runs.
pub struct Running {
    /// Names this process among all that ever were.
    process: String,
    requests: Mutex<HashSet<String>>,
}

impl Running {
    /// None yet, in the process `process`.
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

    /// Whether `holder` was a request of this process and is no longer. Of other processes' nothing is known.
    pub(super) fn is_over(&self, holder: &Holder) -> bool {
        holder.process == self.process && !self.requests().contains(&holder.request)
    }
}
