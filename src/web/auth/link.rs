//! Links to a service request. The token in a link lets its holder view and book that one request.
//!
//! The token is an HMAC-SHA256 of the request's id under the session secret, so nothing is stored, and a link is valid
//! as long as the secret is. The token arrives in the link, then in its own cookie, or in a header.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use nightshift_domain::ids::ServiceRequestId;
use nightshift_providers::mac;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::keyed;
use crate::web::cookie;
use crate::web::error::Result;

const HEADER: &str = "x-request-token";
/// The name of a token's cookie is this prefix and the request's id.
const COOKIE_PREFIX: &str = "rt_";
/// How long a browser keeps a token.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// The maximum number of tokens read from one HTTP request.
const TOKENS_MAX: usize = 20;

/// The tokens that an HTTP request carries.
#[derive(Clone)]
pub struct Tokens(Vec<String>);

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

impl Tokens {
    /// Returns the tokens in the headers, or `None` if there are none.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let shown = headers.get(HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let kept = cookie::all(headers).filter(|(name, _)| name.starts_with(COOKIE_PREFIX));
        let kept = kept.map(|(_, token)| token.to_owned());
        let tokens: Vec<String> = shown.into_iter().chain(kept).take(TOKENS_MAX).collect();
        (!tokens.is_empty()).then_some(Self(tokens))
    }

    /// Returns a hash that tells holders of different tokens apart without revealing the tokens.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(self.0.join("\n")))
    }

    /// Returns whether one of the tokens grants access to `request`.
    pub(super) fn open(&self, secret: &SecretString, request: &ServiceRequestId) -> bool {
        let right = token(secret, request);
        // All tokens are compared, so that the duration does not reveal which one matches.
        self.0.iter().fold(false, |opened, shown| opened | mac::same(shown.as_bytes(), right.as_bytes()))
    }
}

#[must_use]
pub fn token(secret: &SecretString, request: &ServiceRequestId) -> String {
    keyed::code(secret, b"request:", request.as_str())
}

/// Returns whether `shown` is the token of `request`.
#[must_use]
pub fn is_good(secret: &SecretString, request: &ServiceRequestId, shown: &str) -> bool {
    Tokens(vec![shown.to_owned()]).open(secret, request)
}

/// Returns the link with which a client views and books `request`.
#[must_use]
pub fn url(public_url: &str, secret: &SecretString, request: &ServiceRequestId) -> String {
    format!("{public_url}/request/{request}?t={}", token(secret, request))
}

/// Returns the cookie that keeps a request's token.
///
/// # Errors
/// 500 if the token holds a character that a header can't carry; a good token never does.
pub fn cookie(public_url: &str, request: &ServiceRequestId, token: &str) -> Result<HeaderValue> {
    cookie::set(public_url, &cookie_name(request), token, KEPT)
}

fn cookie_name(request: &ServiceRequestId) -> String {
    format!("{COOKIE_PREFIX}{request}")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use axum::http::header;

    #[test]
    fn a_token_opens_its_own_request_alone() {
        let (secret, one, two) =
            (SecretString::from("secret"), ServiceRequestId::from("r1"), ServiceRequestId::from("r2"));
        let mut headers = HeaderMap::new();
        assert!(Tokens::of(&headers).is_none());
        headers.insert(HEADER, HeaderValue::from_str(&token(&secret, &one)).unwrap());
        let shown = Tokens::of(&headers).unwrap();
        assert!(shown.open(&secret, &one) && !shown.open(&secret, &two));
        assert!(!shown.open(&"another secret".into(), &one));
        let cookie = format!("session=x; {}={}", cookie_name(&two), token(&secret, &two));
        headers.insert(header::COOKIE, HeaderValue::from_str(&cookie).unwrap());
        let shown = Tokens::of(&headers).unwrap();
        assert!(shown.open(&secret, &one) && shown.open(&secret, &two));
        assert!(!format!("{shown:?}").contains(&token(&secret, &one)));
    }
}
