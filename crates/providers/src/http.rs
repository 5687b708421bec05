//! The HTTP client for all outgoing requests.
//!
//! The meaning of an error depends on its timeouts: no connection within 3 s means that the request was not sent, no
//! answer within 10 s means that the outcome is unknown. Redirects are not followed, because an API that redirects is
//! misconfigured, and credentials must not be sent to another host.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::tls;

/// Longest accepted `Retry-After`. Longer ones are reduced to it.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);

/// The longest time from the start of a request to the last byte of its answer, unless a client has other [`Timeouts`].
pub const REQUEST_MAX: Duration = Duration::from_secs(10);

/// The timeouts of a request.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For DNS, TCP and TLS together.
    pub connect: Duration,
    /// From the start of the request to the last byte of the answer.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), total: REQUEST_MAX }
    }
}

/// The client could not be built, or was given an invalid address.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// TLS or the resolver could not be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Setup(String),
    /// The text is not an `http` or `https` address.
    #[error("not an http or https address: {0}")]
    Address(String),
}

/// Returns a client with the default [`Timeouts`]. Build one per process and clone it: clones share their connections.
///
/// # Errors
/// [`ClientError::Setup`] if TLS can't be set up.
pub fn http_client() -> Result<reqwest::Client, ClientError> {
    http_client_with(Timeouts::default())
}

/// Returns a client with these timeouts.
///
/// # Errors
/// [`ClientError::Setup`] if TLS can't be set up.
pub fn http_client_with(timeouts: Timeouts) -> Result<reqwest::Client, ClientError> {
    tls::install();
    let builder = || {
        reqwest::Client::builder()
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.total)
            .redirect(reqwest::redirect::Policy::none())
            // Shorter than servers keep idle connections. If a server closes one during a request, the outcome is
            // unknown.
            .pool_idle_timeout(Duration::from_secs(20))
            .user_agent(concat!("nightshift/", env!("CARGO_PKG_VERSION")))
    };
    builder().build().or_else(|problem| {
        // The machine may have no CA certificates. Plain HTTP, which the simulators speak, must still work. HTTPS then
        // trusts no certificate and fails to connect.
        let client = builder().tls_certs_only([]).build().map_err(|e| ClientError::Setup(innermost(&e)))?;
        tracing::warn!(
            error = %innermost(&problem),
            "No CA certificates found: https addresses cannot be reached. Install the ca-certificates package."
        );
        Ok(client)
    })
}

/// Parses an address from the settings.
pub(crate) fn parse_base_url(text: &str) -> Result<reqwest::Url, ClientError> {
    let url = reqwest::Url::parse(text).map_err(|e| ClientError::Address(e.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
        return Err(ClientError::Address(format!("scheme {}", url.scheme())));
    }
    Ok(url)
}

/// Returns the delay that `Retry-After` requests, in seconds or as a date. A date is compared with the answer's `Date`
/// header if there is one, so that a wrong local clock does not matter.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = text.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let at = http_date(text)?;
        let now = headers.get(DATE).and_then(|v| v.to_str().ok()).and_then(http_date).unwrap_or_else(Utc::now);
        (at - now).to_std().unwrap_or_default()
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text).ok().map(|at| at.to_utc())
}

/// Returns the text of the innermost cause. Outer errors add the address, which may contain a phone number.
#[must_use]
pub fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    let mut text = None;
    while let Some(source) = cause.source() {
        cause = source;
        text = Some(cause.to_string());
    }
    text.unwrap_or_else(|| "no further cause".to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    fn asked(pairs: &[(&'static str, &str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        retry_after(&headers)
    }

    #[test]
    fn retry_after_reads_seconds_and_dates() {
        assert_eq!(asked(&[]), None);
        assert_eq!(asked(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(asked(&[("retry-after", "999999999999")]), Some(RETRY_AFTER_MAX));
        assert_eq!(asked(&[("retry-after", "soon")]), None);
        assert_eq!(asked(&[("retry-after", "-3")]), None);
        let now = ("date", "Fri, 20 Nov 2026 10:00:00 GMT");
        assert_eq!(asked(&[now, ("retry-after", "Fri, 20 Nov 2026 10:01:30 GMT")]), Some(Duration::from_secs(90)));
        assert_eq!(asked(&[now, ("retry-after", "Fri, 20 Nov 2026 09:00:00 GMT")]), Some(Duration::ZERO));
    }

    #[test]
    fn a_base_address_is_http() {
        assert!(parse_base_url("https://api.twilio.com").is_ok());
        assert!(parse_base_url("http://127.0.0.1:4010/").is_ok());
        assert!(parse_base_url("ftp://api.twilio.com").is_err());
        assert!(parse_base_url("api.twilio.com").is_err());
    }
}
