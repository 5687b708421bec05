//! Runs Argon2. No other module calls it, so its memory and processor use are bounded.
//!
//! A hash fills 19 MiB and takes a core for tens of milliseconds. As many hashes run at a time as there are cores, at
//! most [`SLOTS_MAX`]; [`WAITING_MAX`] more callers wait for up to [`TIMEOUT`]; all others get [`Error::Busy`]. An
//! operator's command waits without a limit. Memory is reused, so a burst of sign-ins needs no more memory than the
//! first few did.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use argon2::{Block, Params};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Error, Result};

/// Hashes at a time, whatever the number of cores. Eight of them hold 152 MiB.
const SLOTS_MAX: usize = 8;
/// Callers that may wait for a place.
const WAITING_MAX: usize = 32;
/// Longest wait for a place.
const TIMEOUT: Duration = Duration::from_secs(1);
/// The retry delay reported to callers that get no place. Most slots are free again by then.
const RETRY: Duration = Duration::from_secs(1);

static HASHING: LazyLock<Arc<Hashing>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Arc::new(Hashing::new(cores.min(SLOTS_MAX), WAITING_MAX, TIMEOUT))
});

/// A bounded number of hashing slots, and the memory for them.
struct Hashing {
    /// One permit for each caller that hashes or waits.
    room: Arc<Semaphore>,
    /// One permit for each caller that hashes.
    slots: Arc<Semaphore>,
    timeout: Duration,
    /// Memory that is not in use: as many buffers as were ever needed at the same time.
    idle: Mutex<Vec<Vec<Block>>>,
}

/// The right to hash one password. Dropping it gives the slot back.
#[must_use = "an unused slot delays other callers"]
pub struct HashSlot {
    hashing: Arc<Hashing>,
    /// `None` for an operator, whose wait has no limit.
    room: Option<OwnedSemaphorePermit>,
}

/// Requests a slot for any caller. A request does no work, so make it before anything else is done with a password.
///
/// # Errors
/// [`Error::Busy`] if [`WAITING_MAX`] callers wait already.
pub fn request_slot() -> Result<HashSlot> {
    Hashing::request_slot(&HASHING)
}

/// Returns a slot for an operator, who waits for a place without a limit.
pub fn request_operator_slot() -> HashSlot {
    HashSlot { hashing: HASHING.clone(), room: None }
}

impl Hashing {
    fn new(slots: usize, waiting_max: usize, timeout: Duration) -> Self {
        Self {
            room: Arc::new(Semaphore::new(slots + waiting_max)),
            slots: Arc::new(Semaphore::new(slots)),
            timeout,
            idle: Mutex::default(),
        }
    }

    fn request_slot(this: &Arc<Self>) -> Result<HashSlot> {
        let room = this.room.clone().try_acquire_owned().map_err(|_| busy())?;
        Ok(HashSlot { hashing: this.clone(), room: Some(room) })
    }

    /// Returns memory for one hash, or `None` if the machine has no more.
    fn memory(&self) -> Option<Vec<Block>> {
        if let Some(memory) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Some(memory);
        }
        let blocks = Params::DEFAULT.block_count();
        let mut memory = Vec::new();
        memory.try_reserve_exact(blocks).ok()?;
        memory.resize(blocks, Block::default());
        Some(memory)
    }

    fn keep(&self, memory: Vec<Block>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}

impl HashSlot {
    /// Waits for a place and runs `work` on a blocking thread, away from the threads that serve requests.
    ///
    /// # Errors
    /// [`Error::Busy`] if no place became free in time, no memory was available, or `work` panicked.
    pub(super) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&mut [Block]) -> T + Send + 'static,
    ) -> Result<T> {
        let Self { hashing, room } = self;
        let place = hashing.slots.clone().acquire_owned();
        let place = match room {
            Some(_) => tokio::time::timeout(hashing.timeout, place).await.map_err(|_| busy())?,
            None => place.await,
        };
        // The slots are never closed.
        let place = place.map_err(|_| busy())?;
        let done = tokio::task::spawn_blocking(move || {
            // The work itself holds the permits: it goes on after its request is gone.
            let _held = (room, place);
            let mut memory = hashing.memory()?;
            let done = work(&mut memory);
            hashing.keep(memory);
            Some(done)
        });
        done.await.ok().flatten().ok_or_else(busy)
    }
}

fn busy() -> Error {
    Error::Busy(RETRY)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn no_more_hash_at_a_time_than_there_are_places_and_their_memory_is_used_again() {
        let hashing = Arc::new(Hashing::new(2, 100, Duration::from_secs(60)));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let runs: Vec<_> = (0..100)
            .map(|_| {
                let (slot, now, most) = (Hashing::request_slot(&hashing).unwrap(), now.clone(), most.clone());
                tokio::spawn(slot.run(move |memory| {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    memory[0] = Block::default();
                    now.fetch_sub(1, Ordering::SeqCst);
                }))
            })
            .collect();
        for run in runs {
            run.await.unwrap().unwrap();
        }
        assert!(most.load(Ordering::SeqCst) <= 2, "{most:?} at a time");
        assert!(hashing.idle.lock().unwrap().len() <= 2);
    }

    #[tokio::test]
    async fn who_finds_no_room_or_no_place_in_time_is_told_to_come_back() {
        let hashing = Arc::new(Hashing::new(1, 1, Duration::ZERO));
        let place = hashing.slots.clone().try_acquire_owned().unwrap();
        let (first, second) = (Hashing::request_slot(&hashing).unwrap(), Hashing::request_slot(&hashing).unwrap());
        assert!(matches!(Hashing::request_slot(&hashing), Err(Error::Busy(_))), "there was room for a third");
        assert!(matches!(first.run(|_| ()).await, Err(Error::Busy(_))), "there was a second place");
        drop(place);
        second.run(|_| ()).await.unwrap();
        // Both have given their room back, whether they failed or succeeded.
        let _again = (Hashing::request_slot(&hashing).unwrap(), Hashing::request_slot(&hashing).unwrap());
    }

    #[tokio::test]
    async fn an_operator_waits_until_there_is_a_place() {
        let hashing = Arc::new(Hashing::new(1, 0, Duration::ZERO));
        let place = hashing.slots.clone().try_acquire_owned().unwrap();
        let waiting = tokio::spawn(HashSlot { hashing: hashing.clone(), room: None }.run(|_| ()));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(place);
        waiting.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn work_that_panics_costs_its_caller_alone() {
        let hashing = Arc::new(Hashing::new(1, 0, Duration::ZERO));
        let panicked = Hashing::request_slot(&hashing).unwrap().run(|_| panic!("on purpose")).await;
        assert!(matches!(panicked, Err(Error::Busy(_))));
        Hashing::request_slot(&hashing).unwrap().run(|_| ()).await.unwrap();
    }
}
