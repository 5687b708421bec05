//! What jobs must follow, if any: an `Option` could be dropped without a warning.

/// What a rule did that jobs must follow, unless it found nothing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "enqueue what follows"]
pub struct ToFollow<T>(Option<T>);

impl<T> ToFollow<T> {
    /// The rule found nothing to do.
    pub(super) const NOTHING: Self = Self(None);

    /// What was done, if anything.
    #[must_use = "enqueue what follows"]
    pub fn into_option(self) -> Option<T> {
        self.0
    }
}

impl<T> From<T> for ToFollow<T> {
    fn from(done: T) -> Self {
        Self(Some(done))
    }
}

impl<T> From<Option<T>> for ToFollow<T> {
    fn from(done: Option<T>) -> Self {
        Self(done)
    }
}
