//! Classifies OpenPhone's answers that are not a success, and explains its codes.
//!
//! OpenPhone's codes are text, such as `0206400`. Its messages are never shown, because they may quote what was sent.

use reqwest::header::HeaderMap;

use crate::http::retry_after;
use crate::json::{self, Fields};
use crate::sms::{LookupError, Refusal, SendError, Service, UnclearCause};

const BY: Service = Service::OpenPhone;

/// Classifies an answer to a request to send a text.
pub(super) fn not_taken(http_status: u16, headers: &HeaderMap, body: &[u8]) -> SendError {
    let code = error_code(body);
    let retry_after = retry_after(headers);
    match http_status {
        429 => SendError::RateLimited { by: BY, retry_after, code, message: TOO_MANY },
        // 408 comes from a proxy, which can't know whether OpenPhone processed the request.
        408 | 500.. => {
            SendError::Unclear { by: BY, cause: UnclearCause::ServerError { http_status, code }, retry_after }
        }
        _ => {
            let (refusal, message) = meaning(http_status, code.as_deref());
            SendError::Refused { by: BY, http_status, code, refusal, message }
        }
    }
}

/// Classifies an answer to any other request.
pub(super) fn not_answered(http_status: u16, headers: &HeaderMap, body: &[u8]) -> LookupError {
    let retry_after = retry_after(headers);
    match http_status {
        429 => LookupError::RateLimited { by: BY, retry_after },
        408 | 500.. => LookupError::Unavailable { by: BY, http_status, retry_after },
        _ => {
            let code = error_code(body);
            let (_, message) = meaning(http_status, code.as_deref());
            LookupError::Refused { by: BY, http_status, code, message }
        }
    }
}

const TOO_MANY: &str = "more than ten requests a second";

/// Returns what must be done about a refusal, and what it means.
fn meaning(http_status: u16, code: Option<&str>) -> (Refusal, &'static str) {
    match (code, http_status) {
        (Some("0206400"), _) => {
            (Refusal::Sender, "the number is not registered with the carriers; finish its registration at OpenPhone")
        }
        (Some("0200401"), _) | (_, 401) => {
            (Refusal::Account, "the API key is not valid; an operator must set OPENPHONE_API_KEY")
        }
        (Some("0201402"), _) | (_, 402) => (
            Refusal::Account,
            "the subscription has expired or the credit is used up; an operator must renew it at OpenPhone",
        ),
        (Some("0202403"), _) | (_, 403) => {
            (Refusal::Sender, "the API key's user may not send from this number; an operator must give access to it")
        }
        (Some("0200404"), _) | (_, 404) => (Refusal::Sender, "the number does not belong to this workspace"),
        (_, 400) => (Refusal::Other, "OpenPhone found the message invalid"),
        _ => (Refusal::Other, "no reason was given"),
    }
}

/// A code that is too long to be one counts as absent.
fn error_code(body: &[u8]) -> Option<String> {
    const CHARS_MAX: usize = 32;
    let answer = json::read(body).ok()?;
    Fields::of(&answer)
        .id("code")
        .filter(|code| code.len() <= CHARS_MAX && code.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use std::time::Duration;

    use super::*;

    fn answer(http_status: u16, body: &str) -> SendError {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "2".parse().unwrap());
        not_taken(http_status, &headers, body.as_bytes())
    }

    #[test]
    fn each_answer_says_whether_the_text_may_have_gone_out() {
        for (status, class) in [
            (302, "refused"),
            (400, "refused"),
            (401, "refused"),
            (402, "refused"),
            (403, "refused"),
            (404, "refused"),
            (408, "ambiguous"),
            (429, "rate_limited"),
            (500, "ambiguous"),
            (503, "ambiguous"),
        ] {
            assert_eq!(answer(status, "<html>").class(), class, "{status}");
        }
        assert_eq!(answer(429, "").retry_after(), Some(Duration::from_secs(2)));
        assert_eq!(answer(500, r#"{"code":"0201500"}"#).code(), Some("0201500"));
    }

    #[test]
    fn what_an_operator_must_do_is_said_and_nothing_is_quoted() {
        let told = answer(400, r#"{"code":"0206400","message":"+14155550199 is not registered"}"#);
        assert_eq!(told.refusal(), Some(Refusal::Sender));
        assert_eq!(
            told.to_string(),
            "OpenPhone refused the message (HTTP 400, code 0206400): the number is not registered with the carriers; \
             finish its registration at OpenPhone"
        );
        assert!(!format!("{told:?}").contains("4155550199"));
        for status in [401, 402] {
            let told = answer(status, "");
            assert!(
                told.refusal().is_some_and(Refusal::needs_operator) && told.to_string().contains("an operator must")
            );
        }
        assert_eq!(answer(400, r#"{"code":"+14155550199"}"#).code(), None);
    }
}
