//! Wakes dispatchers when there may be jobs to claim.
//!
//! Within a process this is a signal. Across processes it is, on PostgreSQL, a NOTIFY on one channel, sent after the
//! commit and coalesced, because a NOTIFY within each transaction would serialise all commits of the server; on SQLite,
//! a poll of the size and modification time of the write-ahead log. Every wake-up is only a hint: a lost one delays jobs
//! by some seconds, until the next routine poll, and never loses a job.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use nightshift_db::{Db, DbError, Outage, Result, Timestamp};
use sqlx::Executor;
use tokio::sync::Notify;

const CHANNEL: &str = "nightshift_jobs";
/// Pause between two NOTIFYs of a process. Hints that arrive meanwhile share the next NOTIFY.
const ANNOUNCE_PAUSE: Duration = Duration::from_millis(5);
/// A listening connection that has received nothing for this long is pinged.
const LISTEN_PING: Duration = Duration::from_secs(30);
const LISTEN_PING_LIMIT: Duration = Duration::from_secs(5);
/// Interval between two polls of SQLite's write-ahead log.
const WAL_LOOK: Duration = Duration::from_millis(20);

/// Times after the last change of the log, in milliseconds, at which dispatchers are woken again. Other processes see a
/// commit only when it is synced, which may be long after the log was written on a busy disk, and changes neither the
/// size nor the time of the file.
const WAL_ECHOES_MS: [u128; 8] = [0, 20, 60, 140, 300, 620, 1_260, 2_540];

/// Collects hints until they are taken.
#[derive(Debug, Default)]
struct Hints {
    ready: AtomicBool,
    due_ms: AtomicI64,
    cancel: AtomicBool,
}

/// The hints for a dispatcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Woken {
    /// Jobs may be claimable now.
    pub ready: bool,
    /// A job becomes due at this time.
    pub due: Option<Timestamp>,
    /// A running job may have to be cancelled.
    pub cancel: bool,
}

impl Hints {
    fn new() -> Self {
        Self { due_ms: AtomicI64::new(i64::MAX), ..Self::default() }
    }

    fn add(&self, woken: Woken) {
        if woken.ready {
            self.ready.store(true, Ordering::Release);
        }
        if woken.cancel {
            self.cancel.store(true, Ordering::Release);
        }
        if let Some(due) = woken.due {
            self.due_ms.fetch_min(due.unix_ms(), Ordering::AcqRel);
        }
    }

    fn take(&self) -> Woken {
        let due_ms = self.due_ms.swap(i64::MAX, Ordering::AcqRel);
        Woken {
            ready: self.ready.swap(false, Ordering::AcqRel),
            due: (due_ms != i64::MAX).then(|| Timestamp::from_unix_ms(due_ms)),
            cancel: self.cancel.swap(false, Ordering::AcqRel),
        }
    }
}

/// The wake-up signals of one process.
#[derive(Debug)]
pub(crate) struct Wake {
    /// Distinguishes this process's NOTIFYs from those of others.
    origin: u64,
    local: Hints,
    local_signal: Notify,
    cancel_signal: Notify,
    outgoing: Hints,
    outgoing_signal: Notify,
}

impl Wake {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            origin: fastrand::u64(..),
            local: Hints::new(),
            local_signal: Notify::new(),
            cancel_signal: Notify::new(),
            outgoing: Hints::new(),
            outgoing_signal: Notify::new(),
        })
    }

    /// Wakes all processes for committed jobs that are due at `run_at`.
    pub(crate) fn enqueued(&self, run_at: Timestamp, now: Timestamp) {
        if run_at <= now { self.ready() } else { self.due_at(run_at) }
    }

    /// Wakes all processes for committed jobs that can be claimed.
    pub(crate) fn ready(&self) {
        self.tell_everywhere(Woken { ready: true, due: None, cancel: false });
    }

    /// Makes all processes look, at `run_at`, for committed jobs that have become due.
    pub(crate) fn due_at(&self, run_at: Timestamp) {
        self.tell_everywhere(Woken { ready: false, due: Some(run_at), cancel: false });
    }

    fn tell_everywhere(&self, woken: Woken) {
        self.tell_here(woken);
        self.outgoing.add(woken);
        self.outgoing_signal.notify_one();
    }

    /// Wakes all processes, because the settings of a queue changed or a job was released.
    pub(crate) fn look_everywhere(&self) {
        self.ready();
    }

    /// Wakes the other processes, because there may be jobs that this one can't take.
    pub(crate) fn look_elsewhere(&self) {
        self.outgoing.add(Woken { ready: true, due: None, cancel: false });
        self.outgoing_signal.notify_one();
    }

    /// Makes all processes check whether one of their running jobs must be cancelled.
    pub(crate) fn cancel_everywhere(&self) {
        self.tell_everywhere(Woken { ready: false, due: None, cancel: true });
    }

    /// Passes hints to this process only.
    pub(crate) fn tell_here(&self, woken: Woken) {
        if woken.cancel {
            self.cancel_signal.notify_one();
        }
        if woken.ready || woken.due.is_some() {
            self.local.add(Woken { cancel: false, ..woken });
            self.local_signal.notify_one();
        }
    }

    /// Wakes the dispatcher of this process.
    pub(crate) fn look_here(&self) {
        self.tell_here(Woken { ready: true, due: None, cancel: false });
    }

    /// Waits for the next hint and takes all collected ones.
    pub(crate) async fn woken(&self) -> Woken {
        self.local_signal.notified().await;
        self.local.take()
    }

    /// Waits until a running job may have to be cancelled.
    pub(crate) async fn cancelled(&self) {
        self.cancel_signal.notified().await;
    }

    /// Sends this process's hints to the others; never returns. A failure loses only hints.
    pub(crate) async fn announce(self: Arc<Self>, db: Db) {
        loop {
            self.outgoing_signal.notified().await;
            if nightshift_db::sabotage::is("nobody_else_is_woken") {
                continue;
            }
            let woken = self.outgoing.take();
            let due_ms = woken.due.map_or(i64::MAX, Timestamp::unix_ms);
            let text = format!("{} {} {due_ms} {}", self.origin, u8::from(woken.ready), u8::from(woken.cancel));
            let sent = db.write("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(text).execute().await;
            if let Err(error) = sent {
                tracing::debug!(%error, "a wake-up could not be announced; other processes will find the jobs by themselves");
            }
            tokio::time::sleep(ANNOUNCE_PAUSE).await;
        }
    }

    fn hear(&self, text: &str) {
        let mut fields = text.split(' ').map(str::parse::<i128>);
        let (Some(Ok(origin)), Some(Ok(ready)), Some(Ok(due_ms)), Some(Ok(cancel))) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            // The format of another version of the program. Wake up rather than miss something.
            return self.look_here();
        };
        if origin == i128::from(self.origin) {
            return;
        }
        let due = i64::try_from(due_ms).ok().filter(|due| *due != i64::MAX).map(Timestamp::from_unix_ms);
        self.tell_here(Woken { ready: ready != 0, due, cancel: cancel != 0 });
    }

    /// Receives the hints of other processes on PostgreSQL. Returns when the connection must be opened again, or fails.
    pub(crate) async fn listen(&self, db: &Db) -> Result<()> {
        let Some(mut listener) = db.listener().await? else { return Ok(()) };
        let generation = db.generation();
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        // Something may have been announced before this listener was ready.
        self.look_here();
        self.cancel_signal.notify_one();
        loop {
            match tokio::time::timeout(LISTEN_PING, listener.try_recv()).await {
                Ok(Ok(Some(notification))) => self.hear(notification.payload()),
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return Err(error.into()),
                // Statements found the server dead or read-only, and this connection may lead to the same server.
                Err(_silent) if db.generation() != generation => return Ok(()),
                Err(_silent) => {
                    // A half-open connection receives nothing; only a query reveals that it is dead.
                    let ping = tokio::time::timeout(LISTEN_PING_LIMIT, listener.execute("SELECT 1")).await;
                    ping.map_err(|_| DbError::Unavailable(Outage::TimedOut))??;
                }
            }
        }
    }

    /// Watches an SQLite file for commits of other processes; never returns.
    pub(crate) async fn watch(&self, database: &Path) {
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        let look = || std::fs::metadata(&log).ok().map(|file| (file.len(), file.modified().ok()));
        let mut seen = look();
        // Commits before the first poll count as a change.
        let (mut changed, mut echoes) = (Instant::now(), WAL_ECHOES_MS.iter().peekable());
        loop {
            let now = look();
            if now != seen {
                seen = now;
                (changed, echoes) = (Instant::now(), WAL_ECHOES_MS.iter().peekable());
                self.look_at_commits();
            } else if echoes.next_if(|after| changed.elapsed().as_millis() >= **after).is_some() {
                self.look_at_commits();
            }
            tokio::time::sleep(WAL_LOOK).await;
        }
    }

    /// Wakes the dispatcher and lease renewal, because another process has written something.
    fn look_at_commits(&self) {
        self.look_here();
        self.cancel_signal.notify_one();
    }
}
