//! A result that jobs must follow. Unlike an `Option`, it can't be dropped without a compiler warning.

/// What was done, if anything. Jobs must follow for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "enqueue what follows"]
pub struct ToFollow<T>(Option<T>);

impl<T> ToFollow<T> {
    /// Nothing was done.
    pub(super) const NOTHING: Self = Self(None);

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
