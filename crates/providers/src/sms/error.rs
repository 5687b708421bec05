//! Classifies failed requests to a carrier by whether they may be sent again.
//!
//! No carrier has idempotency keys for messages, so the important question is whether a text may have been sent. Each
//! class answers it. No error contains a phone number, the text, or the carrier's message, which quotes both.

use std::fmt;
use std::time::Duration;

use super::refusal::Refusal;
use crate::http::innermost;

/// The company that was asked, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    Twilio,
    /// OpenPhone (Quo).
    OpenPhone,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Twilio => "Twilio",
            Self::OpenPhone => "OpenPhone",
        })
    }
}

/// A text was not confirmed as accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The request was not sent: DNS, TCP or TLS failed. It is safe to send the text again.
    #[error("{by} could not be reached: {cause}")]
    NotSent { by: Service, cause: String },
    /// The carrier rejected the request unprocessed, because there are too many. It is safe to send the text again
    /// later.
    #[error("{by} asks to wait: {message}")]
    RateLimited {
        by: Service,
        /// The delay that the carrier requests.
        retry_after: Option<Duration>,
        /// The carrier's error code. Twilio's 21611 (the queue of the sending number is full) is worth an alert.
        code: Option<String>,
        /// The meaning of the code.
        message: &'static str,
    },
    /// The carrier refused the text. A retry would be refused too.
    #[error("{by} refused the message (HTTP {http_status}{}): {message}", code_text(.code.as_deref()))]
    Refused {
        by: Service,
        http_status: u16,
        code: Option<String>,
        /// What must be done about it.
        refusal: Refusal,
        /// The meaning of the code.
        message: &'static str,
    },
    /// The text may have been sent. Look it up before sending it again.
    #[error("it is unknown whether {by} accepted the message: {cause}")]
    Unclear {
        by: Service,
        cause: UnclearCause,
        /// The delay that the carrier requests.
        retry_after: Option<Duration>,
    },
}

/// Why the outcome of a request is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnclearCause {
    /// There was no complete answer within the timeout.
    #[error("no answer in time")]
    Timeout,
    /// The connection was lost after part of the request may have been sent.
    #[error("the connection was lost: {0}")]
    ConnectionLost(String),
    /// The carrier failed, perhaps after it had accepted the message.
    #[error("HTTP {http_status}{}", code_text(.code.as_deref()))]
    ServerError { http_status: u16, code: Option<String> },
    /// The carrier answered with success, but the answer can't be read.
    #[error("an answer that cannot be read (HTTP {http_status})")]
    Unreadable { http_status: u16 },
}

impl SendError {
    /// Returns whether the carrier reports that the recipient has opted out.
    #[must_use]
    pub fn opted_out(&self) -> bool {
        self.refusal() == Some(Refusal::OptedOut)
    }

    /// Returns why the carrier refused the message. `None` for any other error.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(*refusal),
            _ => None,
        }
    }

    /// Returns the carrier's error code, if the answer contained one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::RateLimited { code, .. }
            | Self::Refused { code, .. }
            | Self::Unclear { cause: UnclearCause::ServerError { code, .. }, .. } => code.as_deref(),
            Self::NotSent { .. } | Self::Unclear { .. } => None,
        }
    }

    /// Returns the delay that the carrier requested.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Unclear { retry_after, .. } => *retry_after,
            Self::NotSent { .. } | Self::Refused { .. } => None,
        }
    }

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

    /// Classifies a request without an answer.
    pub(crate) fn from_transport(by: Service, error: &reqwest::Error) -> Self {
        let cause = innermost(error);
        if error.is_connect() || error.is_builder() {
            Self::NotSent { by, cause }
        } else if error.is_timeout() {
            Self::Unclear { by, cause: UnclearCause::Timeout, retry_after: None }
        } else {
            Self::Unclear { by, cause: UnclearCause::ConnectionLost(cause), retry_after: None }
        }
    }

    /// The carrier accepted the text, but its answer can't be read.
    pub(crate) fn unreadable(by: Service, http_status: u16) -> Self {
        Self::Unclear { by, cause: UnclearCause::Unreadable { http_status }, retry_after: None }
    }
}

/// The list of messages could not be read, so the outcome of a text remains unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// There was no complete answer. A retry may succeed.
    #[error("{by} could not be asked: {cause}")]
    Unreachable { by: Service, cause: String },
    #[error("{by} asks to wait")]
    RateLimited {
        by: Service,
        /// The delay that the carrier requests.
        retry_after: Option<Duration>,
    },
    /// The carrier has an internal problem. A retry may succeed.
    #[error("{by} has a problem (HTTP {http_status})")]
    Unavailable {
        by: Service,
        http_status: u16,
        /// The delay that the carrier requests.
        retry_after: Option<Duration>,
    },
    /// The carrier refused the request. A retry fails until the settings change.
    #[error("{by} refused to list messages (HTTP {http_status}{}): {message}", code_text(.code.as_deref()))]
    Refused {
        by: Service,
        http_status: u16,
        code: Option<String>,
        /// The meaning of the code.
        message: &'static str,
    },
    /// The answer is not a list of messages.
    #[error("{by}'s list of messages cannot be read")]
    Unreadable { by: Service },
    /// The list has more messages than are read, so the absence of a message would prove nothing.
    #[error("{by} lists too many messages to look through")]
    TooMany { by: Service },
}

impl LookupError {
    /// Returns the delay that the carrier requested.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Returns whether a retry would fail too.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::TooMany { .. })
    }

    pub(crate) fn from_transport(by: Service, error: &reqwest::Error) -> Self {
        let cause = if error.is_timeout() { "no answer in time".to_owned() } else { innermost(error) };
        Self::Unreachable { by, cause }
    }
}

fn code_text(code: Option<&str>) -> String {
    code.map(|code| format!(", code {code}")).unwrap_or_default()
}
