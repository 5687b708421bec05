//! What a failed request to Twilio means for sending again.
//!
//! Twilio knows no idempotency key for messages, so the one question that counts is whether a text may have gone out.
//! Each class answers it. None of them holds a phone number, the text, or Twilio's own sentence, which quotes both.

use std::time::Duration;

use reqwest::header::HeaderMap;

use super::codes::{Refusal, explain};
use crate::http::{innermost, retry_after};
use crate::json::{self, Fields};

/// A text was not confirmed as taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The request never left: no name, no connection, no TLS. Safe to send again.
    #[error("Twilio could not be reached: {cause}")]
    NotSent {
        /// The system's reason.
        cause: String,
    },
    /// Twilio turned the request away unprocessed because there is too much of it. Safe to send again later.
    #[error("Twilio asks to wait: {}", rate_limit_text(*.code))]
    RateLimited {
        /// How long Twilio asks to wait.
        retry_after: Option<Duration>,
        /// Twilio's code; 21611 (the number's own queue is full) is worth an alarm.
        code: Option<u32>,
    },
    /// Twilio will not send this text. Sending it again changes nothing.
    #[error("Twilio refused the message (HTTP {http_status}{}): {message}", code_text(*.code))]
    Refused {
        /// HTTP status of the answer.
        http_status: u16,
        /// Twilio's error code.
        code: Option<u32>,
        /// What the code means, in our words.
        message: &'static str,
    },
    /// The text may have gone out or not: look it up before sending again.
    #[error("it is not known whether Twilio took the message: {cause}")]
    Unclear {
        /// Where it was lost sight of.
        cause: UnclearCause,
        /// How long Twilio asks to wait.
        retry_after: Option<Duration>,
    },
}

/// How a request's fate was lost from sight.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnclearCause {
    /// No whole answer within the time limit.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke after the request had begun to leave.
    #[error("the connection was lost: {0}")]
    ConnectionLost(String),
    /// The service failed, which it may have done after taking the message.
    #[error("HTTP {http_status}{}", code_text(*.code))]
    ServerError {
        /// HTTP status of the answer.
        http_status: u16,
        /// Twilio's error code.
        code: Option<u32>,
    },
    /// It said yes in a way that cannot be read.
    #[error("an answer that cannot be read (HTTP {http_status})")]
    Unreadable {
        /// HTTP status of the answer.
        http_status: u16,
    },
}

impl SendError {
    /// Whether the recipient has opted out (21610).
    #[must_use]
    pub fn opted_out(&self) -> bool {
        self.refusal() == Some(Refusal::OptedOut)
    }

    /// Why Twilio will not send the message, when it said so.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused { http_status, code, .. } => Some(Refusal::of(*code, *http_status)),
            _ => None,
        }
    }

    /// Twilio's error code, if it gave one.
    #[must_use]
    pub fn code(&self) -> Option<u32> {
        match self {
            Self::RateLimited { code, .. }
            | Self::Refused { code, .. }
            | Self::Unclear { cause: UnclearCause::ServerError { code, .. }, .. } => *code,
            Self::NotSent { .. } | Self::Unclear { .. } => None,
        }
    }

    /// How long Twilio asked to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Unclear { retry_after, .. } => *retry_after,
            Self::NotSent { .. } | Self::Refused { .. } => None,
        }
    }

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

    /// No answer came.
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

    /// An answer came, and it is not a yes.
    pub(super) fn from_answer(http_status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let code = error_code(body);
        let retry_after = retry_after(headers);
        match (http_status, code) {
            // 20429 is documented as never processed, whatever status it comes with.
            (429, _) | (_, Some(20429 | 21611)) => Self::RateLimited { retry_after, code },
            // 408 comes from something in between, which cannot know.
            (408 | 500.., _) => Self::Unclear { cause: UnclearCause::ServerError { http_status, code }, retry_after },
            _ => Self::Refused { http_status, code, message: code.map_or("no reason was given", explain) },
        }
    }
}

/// The list of messages could not be read, so whether a text went out stays unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// No answer, or half of one. Worth another try.
    #[error("Twilio could not be asked: {cause}")]
    Unreachable {
        /// The system's reason.
        cause: String,
    },
    /// Too many requests.
    #[error("Twilio asks to wait")]
    RateLimited {
        /// How long Twilio asks to wait.
        retry_after: Option<Duration>,
    },
    /// Twilio has a problem. Worth another try.
    #[error("Twilio has a problem (HTTP {http_status})")]
    Unavailable {
        /// HTTP status of the answer.
        http_status: u16,
        /// How long Twilio asks to wait.
        retry_after: Option<Duration>,
    },
    /// Twilio will not tell. Asking again changes nothing until the settings do.
    #[error("Twilio refused to list messages (HTTP {http_status}{})", code_text(*.code))]
    Refused {
        /// HTTP status of the answer.
        http_status: u16,
        /// Twilio's error code.
        code: Option<u32>,
    },
    /// The answer is not a list of messages.
    #[error("Twilio's list of messages cannot be read")]
    Unreadable,
    /// More messages than are read, so "not there" would prove nothing.
    #[error("Twilio lists too many messages to look through")]
    TooMany,
}

impl LookupError {
    /// How long Twilio asked to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether asking again is of no use.
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
