//! What a running job is told from outside: to stop, and what to do with its row.

/// What is said to a running job from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Go on.
    Run,
    /// A person wants it cancelled; it ends at its next checkpoint.
    Cancel,
    /// The grace time is over: it is given back as it is.
    GiveBack,
    /// Its lease is lost: stop, and write nothing.
    Lost,
}
