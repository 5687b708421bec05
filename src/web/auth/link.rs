//! Request links: whoever holds a request's token may see and book that one request.
//!
//! The token is an HMAC-SHA256 of the request's name under the session secret, so nothing is stored, and a link works as
//! long as the secret does. It comes with the link, then in a cookie of its own, or in a header.

use axum::http::{HeaderMap, header};
use hmac::{Hmac, KeyInit, Mac};
use nightshift_domain::ids::ServiceRequestId;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const HEADER: &str = "x-request-token";
/// Cookies named so, and then the request's id, hold its token.
const COOKIE_PREFIX: &str = "rt_";
/// As many as one visitor may carry around.
const TOKENS_MAX: usize = 20;

/// The tokens that somebody shows.
#[derive(Clone)]
pub struct Tokens(Vec<String>);

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

impl Tokens {
    /// Those in a request's headers; none when there is none.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let shown = headers.get(HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let kept = cookies.flat_map(|value| value.split(';')).filter_map(|cookie| {
            let (name, token) = cookie.trim().split_once('=')?;
            name.starts_with(COOKIE_PREFIX).then(|| token.to_owned())
        });
        let tokens: Vec<String> = shown.into_iter().chain(kept).take(TOKENS_MAX).collect();
        (!tokens.is_empty()).then_some(Self(tokens))
    }

    /// Tells holders of different tokens apart without telling the tokens.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(self.0.join("\n")))
    }

    /// Whether one of them opens this request.
    pub(super) fn open(&self, secret: &SecretString, request: &ServiceRequestId) -> bool {
        let right = token(secret, request);
        // All are compared, so that the time taken tells nothing about which one fits.
        self.0.iter().fold(false, |opened, shown| opened | bool::from(shown.as_bytes().ct_eq(right.as_bytes())))
    }
}

/// The token of a request.
#[must_use]
pub fn token(secret: &SecretString, request: &ServiceRequestId) -> String {
    mac(secret, b"request:", request.as_str())
}

/// A keyed hash of what it is for and whom it is about.
pub(super) fn mac(secret: &SecretString, purpose: &[u8], subject: &str) -> String {
    #[expect(clippy::expect_used, reason = "HMAC is defined for keys of every length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).expect("HMAC takes any key");
    mac.update(purpose);
    mac.update(subject.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// Whether `shown` is the token of a request.
#[must_use]
pub fn is_good(secret: &SecretString, request: &ServiceRequestId, shown: &str) -> bool {
    Tokens(vec![shown.to_owned()]).open(secret, request)
}

/// The link under which a request is seen and booked.
#[must_use]
pub fn url(public_url: &str, secret: &SecretString, request: &ServiceRequestId) -> String {
    format!("{public_url}/request/{request}?t={}", token(secret, request))
}

/// The name of the cookie that keeps a request's token.
#[must_use]
pub fn cookie_name(request: &ServiceRequestId) -> String {
    format!("{COOKIE_PREFIX}{request}")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

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
