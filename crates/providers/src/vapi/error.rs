//! What a failed request to VAPI means for calling again. No class holds a phone number or a name: of VAPI's own sentence,
//! which may quote them, only words are kept that can be neither.

use std::time::Duration;

use reqwest::header::HeaderMap;

use crate::http::{innermost, retry_after};

/// A call was not confirmed as started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The request never left. Safe to start again.
    #[error("VAPI could not be reached: {cause}")]
    NotSent {
        /// The system's reason.
        cause: String,
    },
    /// VAPI turned the request away unprocessed because there is too much of it. Safe to start again later.
    #[error("VAPI asks to wait")]
    RateLimited {
        /// How long.
        retry_after: Option<Duration>,
    },
    /// VAPI will not make this call.
    #[error("VAPI refused the call (HTTP {http_status}){}", cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default())]
    Refused {
        /// HTTP status of the answer.
        http_status: u16,
        /// What of VAPI's sentence is safe to show.
        cause: Option<String>,
    },
    /// A phone may be ringing or not: look the call up before starting it again.
    #[error("it is not known whether VAPI started the call: {cause}")]
    Unclear {
        /// How its fate was lost from sight.
        cause: String,
    },
}

impl StartError {
    /// A short name of the class, for metrics.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::NotSent { .. } => "not_sent",
            Self::RateLimited { .. } => "rate_limited",
            Self::Refused { .. } => "refused",
            Self::Unclear { .. } => "ambiguous",
        }
    }

    pub(super) fn from_transport(error: &reqwest::Error) -> Self {
        let cause = innermost(error);
        if error.is_connect() || error.is_builder() {
            Self::NotSent { cause }
        } else if error.is_timeout() {
            Self::Unclear { cause: "no answer in time".to_owned() }
        } else {
            Self::Unclear { cause: format!("the connection was lost: {cause}") }
        }
    }

    pub(super) fn from_answer(http_status: u16, headers: &HeaderMap, cause: Option<String>) -> Self {
        match http_status {
            429 => Self::RateLimited { retry_after: retry_after(headers) },
            408 | 500.. => Self::Unclear { cause: format!("HTTP {http_status}") },
            _ => Self::Refused { http_status, cause },
        }
    }
}

/// A call, or the list of calls, could not be looked at. Asking again changes nothing at VAPI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No whole answer.
    #[error("VAPI could not be asked: {cause}")]
    Unreachable {
        /// The system's reason.
        cause: String,
    },
    /// VAPI asks to wait, or has trouble of its own.
    #[error("VAPI has no answer now (HTTP {http_status})")]
    Unavailable {
        /// HTTP status of the answer.
        http_status: u16,
        /// How long to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// VAPI knows no such call.
    #[error("VAPI knows no such call")]
    NotFound,
    /// VAPI will not tell: wrong credentials, most likely.
    #[error("VAPI refused to tell (HTTP {http_status})")]
    Refused {
        /// HTTP status of the answer.
        http_status: u16,
    },
    /// An answer that is not VAPI's.
    #[error("VAPI's answer can't be read")]
    Unreadable,
    /// More calls since then than can be looked through.
    #[error("too many calls to look through")]
    TooMany,
}

impl AskError {
    pub(super) fn from_transport(error: &reqwest::Error) -> Self {
        let cause = if error.is_timeout() { "no answer in time".to_owned() } else { innermost(error) };
        Self::Unreachable { cause }
    }

    pub(super) fn from_answer(http_status: u16, headers: &HeaderMap) -> Self {
        match http_status {
            404 => Self::NotFound,
            408 | 429 | 500.. => Self::Unavailable { http_status, retry_after: retry_after(headers) },
            _ => Self::Refused { http_status },
        }
    }
}
