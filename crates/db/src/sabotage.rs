//! Deliberate defects, to show that the tests would notice them.
//!
//! Built in only with the feature `sabotage` (tests turn it on); otherwise [`is`] is a constant no. A process has the
//! defect that the variable `NIGHTSHIFT_SABOTAGE` names.

/// Whether this process is to have the defect `name`.
#[cfg(not(feature = "sabotage"))]
#[inline]
#[must_use]
pub const fn is(_name: &str) -> bool {
    false
}

/// Whether this process is to have the defect `name`.
#[cfg(feature = "sabotage")]
#[must_use]
pub fn is(name: &str) -> bool {
    static DEFECT: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("NIGHTSHIFT_SABOTAGE").ok());
    DEFECT.as_deref() == Some(name)
}
