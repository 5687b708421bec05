//! The slots of a queue: how many of its jobs this process runs at a time.
//!
//! The dispatcher takes one for each job that it claims. A slot that becomes free while there is more to do wakes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::store::wake::Wake;

/// How many jobs of a queue this process runs at a time.
pub(crate) struct Slots {
    pub queue: String,
    capacity: usize,
    busy: AtomicUsize,
    /// The last claim filled all free slots, so a freed one is worth a claim at once.
    backlog: AtomicBool,
    wake: Arc<Wake>,
}

impl Slots {
    pub(crate) fn new(queue: String, capacity: usize, wake: Arc<Wake>) -> Arc<Self> {
        Arc::new(Self { queue, capacity, busy: AtomicUsize::new(0), backlog: AtomicBool::new(false), wake })
    }

    pub(crate) fn free(&self) -> usize {
        self.capacity.saturating_sub(self.busy.load(Ordering::Acquire))
    }

    /// Whether slots have become free while there is more to do, but fewer than a claim is worth.
    pub(crate) fn gathers(&self) -> bool {
        let free = self.free();
        self.backlog.load(Ordering::Acquire) && free > 0 && free < self.capacity.div_ceil(2)
    }

    pub(crate) fn take(&self, count: usize) {
        self.busy.fetch_add(count, Ordering::AcqRel);
    }

    pub(crate) fn set_backlog(&self, backlog: bool) {
        self.backlog.store(backlog, Ordering::Release);
    }

    fn give_back(&self) {
        self.busy.fetch_sub(1, Ordering::AcqRel);
        if self.backlog.load(Ordering::Acquire) {
            self.wake.look_here();
        }
    }
}

/// A slot in use; free again when dropped, whatever happened in it.
pub(crate) struct Slot(Arc<Slots>);

impl Slot {
    pub(crate) fn taken(slots: &Arc<Slots>) -> Self {
        Self(slots.clone())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.give_back();
    }
}
