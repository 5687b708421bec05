//! The keys of a job, which keep duplicates out and put jobs of one group in order.

/// Keys of one job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// Unique while the job is unfinished.
    pub dedup: Option<String>,
    /// Unique for ever.
    pub once: Option<String>,
    /// At most one job of a group runs at a time, oldest first.
    pub group: Option<String>,
    /// An unfinished older job of the group holds back younger ones even while it waits.
    pub strict: bool,
}

impl Keys {
    /// A second job with this key is not made while the first is unfinished.
    #[must_use]
    pub fn dedup(key: impl Into<String>) -> Self {
        Self { dedup: Some(key.into()), ..Self::default() }
    }

    /// A second job with this key is never made.
    #[must_use]
    pub fn once(key: impl Into<String>) -> Self {
        Self { once: Some(key.into()), ..Self::default() }
    }

    /// Runs the jobs of a group one at a time; one that waits for a retry lets younger ones pass.
    #[must_use]
    pub fn group(mut self, key: impl Into<String>) -> Self {
        self.group = Some(key.into());
        self
    }

    /// Runs the jobs of a group one at a time, strictly in order.
    #[must_use]
    pub fn strict_group(mut self, key: impl Into<String>) -> Self {
        self.group = Some(key.into());
        self.strict = true;
        self
    }
}
