//! Classifies failed requests to VAPI by whether they may be sent again. No error contains a phone number or a name: of
//! VAPI's message, which may quote them, only safe words are kept.

use std::time::Duration;

use reqwest::header::HeaderMap;

use crate::http::{innermost, retry_after};

/// A call was not confirmed as started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The request was not sent. It is safe to start the call again.
    #[error("VAPI could not be reached: {cause}")]
    NotSent { cause: String },
    /// VAPI rejected the request unprocessed, because there are too many. It is safe to start the call again later.
    #[error("VAPI asks to wait")]
    RateLimited {
        /// The delay that VAPI requests.
        retry_after: Option<Duration>,
    },
    /// VAPI refused to make this call.
    #[error("VAPI refused the call (HTTP {http_status}){}", cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default())]
    Refused {
        http_status: u16,
        /// The part of VAPI's message that is safe to show.
        cause: Option<String>,
    },
    /// A phone may be ringing. Look the call up before starting it again.
    #[error("it is unknown whether VAPI started the call: {cause}")]
    Unclear {
        /// Why the outcome is unknown.
        cause: String,
    },
}

impl StartError {
    /// Returns a short name of the class for metrics.
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

/// A call or the list of calls could not be read. A repeated request changes nothing at VAPI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// There was no complete answer.
    #[error("VAPI could not be asked: {cause}")]
    Unreachable { cause: String },
    /// VAPI requests a delay, or has an internal problem.
    #[error("VAPI is not available (HTTP {http_status})")]
    Unavailable {
        http_status: u16,
        /// The delay that VAPI requests.
        retry_after: Option<Duration>,
    },
    /// VAPI has no such call.
    #[error("VAPI does not know the call")]
    NotFound,
    /// VAPI refused the request, most likely because of wrong credentials.
    #[error("VAPI refused the query (HTTP {http_status})")]
    Refused { http_status: u16 },
    /// The answer does not have VAPI's format.
    #[error("VAPI's answer can't be read")]
    Unreadable,
    /// The list has more calls than are read.
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
