//! Whether the external effects of a job are real.

use serde::{Deserialize, Serialize};

/// Whether the external effects of a job, such as texts and calls, are real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing is sent.
    Simulated,
    /// Everything is sent to a test address.
    Test,
    /// Everything is sent to its recipient.
    Live,
}

impl Mode {
    /// Returns the text that is stored in the database.
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
