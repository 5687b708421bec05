//! Classifies Twilio's answers that are not a success.

use reqwest::header::HeaderMap;

use super::codes::{explain, refusal};
use crate::http::retry_after;
use crate::json::{self, Fields};
use crate::sms::{LookupError, SendError, Service, UnclearCause};

const BY: Service = Service::Twilio;

/// Classifies an answer to a request to send a text.
pub(super) fn not_taken(http_status: u16, headers: &HeaderMap, body: &[u8]) -> SendError {
    let number = error_code(body);
    let code = number.map(|code| code.to_string());
    let retry_after = retry_after(headers);
    match (http_status, number) {
        // 20429 is documented as never processed, whatever the HTTP status is.
        (429, _) | (_, Some(20429 | 21611)) => {
            SendError::RateLimited { by: BY, retry_after, code, message: number.map_or("too many requests", explain) }
        }
        // 408 comes from a proxy, which can't know whether Twilio processed the request.
        (408 | 500.., _) => {
            SendError::Unclear { by: BY, cause: UnclearCause::ServerError { http_status, code }, retry_after }
        }
        _ => SendError::Refused {
            by: BY,
            http_status,
            code,
            refusal: refusal(number, http_status),
            message: number.map_or("no reason was given", explain),
        },
    }
}

/// Classifies an answer to a request for a list.
pub(super) fn not_listed(http_status: u16, headers: &HeaderMap, body: &[u8]) -> LookupError {
    let number = error_code(body);
    let retry_after = retry_after(headers);
    match (http_status, number) {
        (429, _) | (_, Some(20429)) => LookupError::RateLimited { by: BY, retry_after },
        (408 | 500.., _) => LookupError::Unavailable { by: BY, http_status, retry_after },
        _ => LookupError::Refused {
            by: BY,
            http_status,
            code: number.map(|code| code.to_string()),
            message: number.map_or("no reason was given", explain),
        },
    }
}

fn error_code(body: &[u8]) -> Option<u32> {
    let answer = json::read(body).ok()?;
    u32::try_from(Fields::of(&answer).whole("code")?).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sms::Refusal;

    fn answer(http_status: u16, body: &str) -> SendError {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "2".parse().unwrap());
        not_taken(http_status, &headers, body.as_bytes())
    }

    #[test]
    fn each_answer_says_whether_the_text_may_have_gone_out() {
        assert_eq!(answer(429, "").class(), "rate_limited");
        assert_eq!(answer(429, r#"{"code":20429}"#).retry_after(), Some(Duration::from_secs(2)));
        assert_eq!(answer(503, r#"{"code":20429}"#).class(), "rate_limited");
        assert_eq!(answer(400, r#"{"code":21611}"#).class(), "rate_limited");
        assert_eq!(answer(500, "<html>").class(), "ambiguous");
        assert_eq!(answer(503, r#"{"code":20503}"#).code(), Some("20503"));
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
