//! Deliberate defects that show whether the tests notice them.
//!
//! Compiled in only with the feature `sabotage`; otherwise [`is`] always returns false. The variable
//! `NIGHTSHIFT_SABOTAGE` names the defect of a process.

/// Returns whether this process has the defect `name`.
#[cfg(not(feature = "sabotage"))]
#[inline]
#[must_use]
pub const fn is(_name: &str) -> bool {
    false
}

/// Returns whether this process has the defect `name`.
#[cfg(feature = "sabotage")]
#[must_use]
pub fn is(name: &str) -> bool {
    static DEFECT: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("NIGHTSHIFT_SABOTAGE").ok());
    DEFECT.as_deref() == Some(name)
}
