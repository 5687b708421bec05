//! The steps of the world, and the code that each one stands for.

use crate::state::{Answer, Outcome};

/// A job, a process or a run, by number.
pub type Number = usize;

/// One atomic step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// A request for a job arrives at process 0 and waits for the next commit.
    Gather(Number),
    /// Process 0 commits the jobs that it has gathered.
    Enqueue,
    /// A request is answered with a success.
    Answer(Number),
    /// A scheduler fires the occurrence.
    Fire(Number),

    /// Jobs whose time has come are marked as claimable.
    Promote(Number),
    /// Claims due jobs, on SQLite.
    Claim(Number),
    /// Reads and locks due jobs, the first half of a claim on PostgreSQL.
    Pick(Number),
    /// Writes the claim of the picked jobs, its second half.
    ClaimPicked(Number),
    /// Tells the other processes that there may be jobs.
    Announce(Number),
    /// A handler ends, or is told to give its job back.
    End {
        process: Number,
        run: Number,
        outcome: Outcome,
    },
    /// Stores a result.
    Finish {
        process: Number,
        run: Number,
    },
    /// Renews all leases of a process, and learns which are lost.
    Renew(Number),
    /// Reads the time of the server, and the leases that have expired by it.
    LookForLost(Number),
    /// Takes back a job that was seen with an expired lease.
    TakeBack(Number),
    /// Lets a lease expire that was given before the clock was set back and that nobody renews.
    ExpireFar {
        process: Number,
        job: Number,
    },
    /// Reads the time of the server and finds that it was set.
    Notice(Number),

    /// Commits the intent of the effect, or finds an earlier one.
    Intend {
        process: Number,
        run: Number,
    },
    /// Sends the request. `done` says whether the provider did it.
    Send {
        process: Number,
        run: Number,
        answer: Answer,
        done: bool,
    },
    /// The permit is too old: nothing is sent.
    Abstain {
        process: Number,
        run: Number,
    },
    /// Asks the provider about an earlier request.
    AskProvider {
        process: Number,
        run: Number,
    },
    /// Stores the answer in the ledger.
    Settle {
        process: Number,
        run: Number,
    },

    /// A person cancels a job.
    Cancel(Number),
    /// A person retries a job.
    Retry(Number),
    /// A person retries all dead jobs.
    Redrive,
    /// What a job waits for has happened.
    RunNow(Number),

    /// `kill -9`.
    Kill(Number),
    Start(Number),
    /// SIGSTOP, or a machine without processor time.
    Pause(Number),
    Resume(Number),
    /// SIGTERM.
    Stop(Number),
    /// A stopping process that holds nothing ends.
    Exit(Number),
    /// A run is dropped inside a living process, and its job can't be given back.
    Drop {
        process: Number,
        run: Number,
    },
    /// The server's clock is set.
    Jump {
        forward: bool,
    },
    /// A tick passes.
    Tick,
}

impl Step {
    /// Returns the files of `crates/queue/src` and the names in them that this step stands for. Empty for what happens
    /// outside of the queue.
    #[must_use]
    pub fn code(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Gather(_) => &[("store/queue.rs", "fn submit")],
            Self::Enqueue => &[("store/enqueue.rs", "static INSERT"), ("store/enqueue.rs", "const FIND_DUPLICATE")],
            Self::Answer(_) => &[("store/queue.rs", "impl BatchWrite")],
            Self::Fire(_) => &[("schedule/slots.rs", "async fn fire")],
            Self::Promote(_) => {
                &[("store/claim.rs", "const PROMOTE_POSTGRES"), ("store/claim.rs", "const PROMOTE_SQLITE")]
            }
            Self::Claim(_) => &[("store/claim.rs", "const CLAIM_SQLITE")],
            Self::Pick(_) | Self::ClaimPicked(_) => &[("store/claim.rs", "const CLAIM_POSTGRES")],
            Self::Announce(_) => &[("store/wake.rs", "async fn announce"), ("store/wake.rs", "fn hear")],
            Self::End { .. } => &[("store/lifecycle.rs", "pub fn apply")],
            Self::Finish { .. } => &[
                ("store/finish.rs", "static FINISH"),
                ("store/finish.rs", "static SUCCEED"),
                ("handlers/end.rs", "async fn write_dead"),
            ],
            Self::Renew(_) => &[
                ("leases/renewal.rs", "static RENEW_POSTGRES"),
                ("leases/renewal.rs", "static RENEW_SQLITE"),
                ("leases/table.rs", "fn learn"),
            ],
            Self::LookForLost(_) => &[("leases/rescue.rs", "const EXPIRED")],
            Self::TakeBack(_) => &[("leases/rescue.rs", "async fn take_back"), ("store/finish.rs", "static FINISH")],
            Self::ExpireFar { .. } => &[("leases/rescue.rs", "const FAR"), ("leases/rescue.rs", "const EXPIRE:")],
            Self::Notice(_) => &[("leases/renewal.rs", "async fn keep"), ("leases/rescue.rs", "async fn run")],
            Self::Intend { .. } => {
                &[("handlers/perform.rs", "pub async fn perform"), ("store/effects.rs", "pub async fn ask")]
            }
            Self::Send { .. } => &[("handlers/perform.rs", "pub async fn perform")],
            Self::Abstain { .. } => &[("handlers/perform.rs", "pub fn into_request")],
            Self::AskProvider { .. } => &[("handlers/perform.rs", "Unclear(Option<Effect>)")],
            Self::Settle { .. } => &[
                ("handlers/perform.rs", "pub async fn settle"),
                ("store/effects.rs", "pub async fn confirm"),
                ("store/effects.rs", "pub async fn refuse"),
                ("store/effects.rs", "pub async fn mark_unknown"),
                ("store/effects.rs", "pub async fn not_sent"),
            ],
            Self::Cancel(_) => &[("admin/steer.rs", "pub async fn cancel")],
            Self::Retry(_) => &[("admin/steer.rs", "pub async fn retry"), ("store/effects.rs", "pub async fn reopen")],
            Self::Redrive => &[("admin/steer.rs", "pub async fn retry_all")],
            Self::RunNow(_) => &[("admin/steer.rs", "pub async fn run_now")],
            Self::Stop(_) => &[("leases/table.rs", "fn give_all_back")],
            Self::Kill(_)
            | Self::Start(_)
            | Self::Pause(_)
            | Self::Resume(_)
            | Self::Exit(_)
            | Self::Drop { .. }
            | Self::Jump { .. }
            | Self::Tick => &[],
        }
    }

    /// Returns whether this is a fault or an intervention, which nobody may wait for.
    #[must_use]
    pub fn is_from_outside(&self) -> bool {
        matches!(
            self,
            Self::Gather(_)
                | Self::Cancel(_)
                | Self::Retry(_)
                | Self::Redrive
                | Self::RunNow(_)
                | Self::Kill(_)
                | Self::Pause(_)
                | Self::Stop(_)
                | Self::Drop { .. }
                | Self::Jump { .. }
        )
    }
}
