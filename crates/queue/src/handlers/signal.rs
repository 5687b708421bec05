//! The signal that tells a running job whether to stop, and how its end is then recorded.

/// A request to a running job. A job that has to stop returns at its next checkpoint or is aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Continue.
    Run,
    /// An operator has cancelled the job. It ends at its next checkpoint.
    Cancel,
    /// The grace period of the shutdown is over. The job is aborted and returned to the queue.
    GiveBack,
    /// The lease is lost, so another worker may run the job. It is aborted, and nothing is written.
    Lost,
}
