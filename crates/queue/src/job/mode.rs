//! Whether what a job sends to the outside reaches anybody.

use serde::{Deserialize, Serialize};

/// Whether a job's outside effects are real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing leaves.
    Simulated,
    /// It leaves, but to a test address.
    Test,
    /// It leaves.
    Live,
}

impl Mode {
    /// The text stored in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Simulated => "simulated",
            Self::Test => "test",
            Self::Live => "live",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Simulated, Self::Test, Self::Live].into_iter().find(|mode| mode.as_str() == text)
    }
}
