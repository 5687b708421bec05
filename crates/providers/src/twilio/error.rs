//! Classifies failed requests to Twilio by whether they may be sent again.
//!
//! Twilio has no idempotency keys for messages, so the important question is whether a text may have been sent. Each
//! class answers it. No error contains a phone number, the text, or Twilio's message, which quotes both.

use std::time::Duration;

use reqwest::header::HeaderMap;

use super::codes::{Refusal, explain};
use crate::http::{innermost, retry_after};
use crate::json::{self, Fields};

/// A text was not confirmed as accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The request was not sent: DNS, TCP or TLS failed. It is safe to send the text again.
    #[error("Twilio could not be reached: {cause}")]
    NotSent { cause: String },
    /// Twilio rejected the request unprocessed, because there are too many. It is safe to send the text again later.
    #[error("Twilio asks to wait: {}", rate_limit_text(*.code))]
    RateLimited {
        /// The delay that Twilio requests.
        retry_after: Option<Duration>,
        /// Twilio's error code. 21611 (the queue of the sending number is full) is worth an alert.
        code: Option<u32>,
    },
    /// Twilio refused the text. A retry would be refused too.
    #[error("Twilio refused the message (HTTP {http_status}{}): {message}", code_text(*.code))]
    Refused {
        http_status: u16,
        code: Option<u32>,
        /// The meaning of the code, by [`explain`].
        message: &'static str,
    },
    /// The text may have been sent. Look it up before sending it again.
    #[error("it is unknown whether Twilio accepted the message: {cause}")]
    Unclear {
        cause: UnclearCause,
        /// The delay that Twilio requests.
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
    /// Twilio failed, perhaps after it had accepted the message.
    #[error("HTTP {http_status}{}", code_text(*.code))]
    ServerError { http_status: u16, code: Option<u32> },
    /// Twilio answered with success, but the answer can't be read.
    #[error("an answer that cannot be read (HTTP {http_status})")]
    Unreadable { http_status: u16 },
}

impl SendError {
    /// Returns whether the recipient has opted out (code 21610).
    #[must_use]
    pub fn opted_out(&self) -> bool {
        self.refusal() == Some(Refusal::OptedOut)
    }

    /// Returns why Twilio refused the message. `None` for any other error.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused { http_status, code, .. } => Some(Refusal::of(*code, *http_status)),
            _ => None,
        }
    }

    /// Returns Twilio's error code, if the answer contained one.
    #[must_use]
    pub fn code(&self) -> Option<u32> {
        match self {
            Self::RateLimited { code, .. }
            | Self::Refused { code, .. }
            | Self::Unclear { cause: UnclearCause::ServerError { code, .. }, .. } => *code,
            Self::NotSent { .. } | Self::Unclear { .. } => None,
        }
    }

    /// Returns the delay that Twilio requested.
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
    pub(super) fn from_transport(error: &reqwest::Error) -> Self {
        let cause = innermost(error);
        if error.is_connect() || error.is_builder() {
            Self::NotSent { cause }
        } else if error.is_timeout() {
            Self::Unclear { cause: UnclearCause::Timeout, retry_after: None }
        } else {
            Self::Unclear { cause: UnclearCause::ConnectionLost(cause), retry_after: None }
        }
    }

    /// Classifies an answer that is not a success.
    pub(super) fn from_answer(http_status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let code = error_code(body);
        let retry_after = retry_after(headers);
        match (http_status, code) {
            // 20429 is documented as never processed, whatever the HTTP status is.
            (429, _) | (_, Some(20429 | 21611)) => Self::RateLimited { retry_after, code },
            // 408 comes from a proxy, which can't know whether Twilio processed the request.
            (408 | 500.., _) => Self::Unclear { cause: UnclearCause::ServerError { http_status, code }, retry_after },
            _ => Self::Refused { http_status, code, message: code.map_or("no reason was given", explain) },
        }
    }
}

/// The list of messages could not be read, so the outcome of a text remains unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// There was no complete answer. A retry may succeed.
    #[error("Twilio could not be asked: {cause}")]
    Unreachable { cause: String },
    #[error("Twilio asks to wait")]
    RateLimited {
        /// The delay that Twilio requests.
        retry_after: Option<Duration>,
    },
    /// Twilio has an internal problem. A retry may succeed.
    #[error("Twilio has a problem (HTTP {http_status})")]
    Unavailable {
        http_status: u16,
        /// The delay that Twilio requests.
        retry_after: Option<Duration>,
    },
    /// Twilio refused the request. A retry fails until the settings change.
    #[error("Twilio refused to list messages (HTTP {http_status}{})", code_text(*.code))]
    Refused { http_status: u16, code: Option<u32> },
    /// The answer is not a list of messages.
    #[error("Twilio's list of messages cannot be read")]
    Unreadable,
    /// The list has more messages than are read, so the absence of a message would prove nothing.
    #[error("Twilio lists too many messages to look through")]
    TooMany,
}

impl LookupError {
    /// Returns the delay that Twilio requested.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Returns whether a retry would fail too.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::TooMany)
    }

    pub(super) fn from_transport(error: &reqwest::Error) -> Self {
        let cause = if error.is_timeout() { "no answer in time".to_owned() } else { innermost(error) };
        Self::Unreachable { cause }
    }

    pub(super) fn from_answer(http_status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let code = error_code(body);
        let retry_after = retry_after(headers);
        match (http_status, code) {
            (429, _) | (_, Some(20429)) => Self::RateLimited { retry_after },
            (408 | 500.., _) => Self::Unavailable { http_status, retry_after },
            _ => Self::Refused { http_status, code },
        }
    }
}

fn error_code(body: &[u8]) -> Option<u32> {
    let answer = json::read(body).ok()?;
    u32::try_from(Fields::of(&answer).whole("code")?).ok()
}

fn code_text(code: Option<u32>) -> String {
    code.map(|code| format!(", code {code}")).unwrap_or_default()
}

fn rate_limit_text(code: Option<u32>) -> &'static str {
    code.map_or("too many requests", explain)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    fn answer(http_status: u16, body: &str) -> SendError {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "2".parse().unwrap());
        SendError::from_answer(http_status, &headers, body.as_bytes())
    }

    #[test]
    fn each_answer_says_whether_the_text_may_have_gone_out() {
        assert_eq!(answer(429, "").class(), "rate_limited");
        assert_eq!(answer(429, r#"{"code":20429}"#).retry_after(), Some(Duration::from_secs(2)));
        assert_eq!(answer(503, r#"{"code":20429}"#).class(), "rate_limited");
        assert_eq!(answer(400, r#"{"code":21611}"#).class(), "rate_limited");
        assert_eq!(answer(500, "<html>").class(), "ambiguous");
        assert_eq!(answer(503, r#"{"code":20503}"#).code(), Some(20503));
        assert_eq!(answer(408, "").class(), "ambiguous");
        assert_eq!(answer(400, r#"{"code":21211}"#).refusal(), Some(Refusal::Recipient));
        assert_eq!(answer(401, r#"{"code":20003}"#).refusal(), Some(Refusal::Account));
        assert_eq!(answer(302, "").class(), "refused");
        assert!(answer(400, r#"{"code":21610}"#).opted_out());
        assert!(!answer(400, r#"{"code":21211}"#).opted_out());
    }

    #[test]
    fn no_message_quotes_twilio() {
        let told =
            answer(400, r#"{"code":21211,"message":"The 'To' number +14155550199 is not a valid phone number."}"#);
        assert_eq!(
            told.to_string(),
            "Twilio refused the message (HTTP 400, code 21211): the recipient's number is not valid"
        );
        assert!(!format!("{told:?}").contains("4155550199"));
    }
}
