//! The keys of a job, which prevent duplicates and order the jobs of a group.

/// The keys of one job. `None` means that the job has no such key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// Deduplication key, unique among unfinished jobs.
    pub dedup: Option<String>,
    /// Once key, unique among all jobs, finished ones included.
    pub once: Option<String>,
    /// Group key. At most one job of a group runs at a time, and the oldest due job is claimed first.
    pub group: Option<String>,
    /// Whether an unfinished job of the group holds back younger ones even while it waits for its time or a retry.
    pub strict: bool,
}

impl Keys {
    /// Returns keys with this deduplication key: no second job is created while one with the same key is unfinished.
    #[must_use]
    pub fn dedup(key: impl Into<String>) -> Self {
        Self { dedup: Some(key.into()), ..Self::default() }
    }

    /// Returns keys with this once key: no second job with the same key is ever created.
    #[must_use]
    pub fn once(key: impl Into<String>) -> Self {
        Self { once: Some(key.into()), ..Self::default() }
    }

    /// Returns the keys of a job that follows the job `id`, which has these keys or follows one that has. They are free
    /// until such a job exists. The group stays the same.
    #[must_use]
    pub(crate) fn after(&self, id: &str) -> Self {
        let after = |key: &String| format!("{key}:after:{id}");
        Self { dedup: self.dedup.as_ref().map(after), once: self.once.as_ref().map(after), ..self.clone() }
    }

    /// Adds a group key. While a job of the group waits for its time or a retry, younger ones may run.
    #[must_use]
    pub fn group(mut self, key: impl Into<String>) -> Self {
        self.group = Some(key.into());
        self
    }

    /// Adds a strict group key. While a job of the group waits for its time or a retry, younger ones wait too.
    #[must_use]
    pub fn strict_group(mut self, key: impl Into<String>) -> Self {
        self.group = Some(key.into());
        self.strict = true;
        self
    }
}
