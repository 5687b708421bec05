//! The session cookie: `session=<base64url(json)>.<base64url(HMAC-SHA256)>` with the JSON `{sid,uid,exp}`.
//!
//! The signature keeps forged session ids from causing database reads. Whether a session is still valid is decided by
//! its row.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nightshift_db::Timestamp;
use nightshift_domain::access::sessions::LONGEST;
use nightshift_domain::ids::{SessionId, UserId};
use nightshift_providers::mac;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::web::cookie;
use crate::web::error::{ApiError, Result};

const NAME: &str = "session";

/// The signed content of a session cookie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    #[serde(rename = "sid")]
    pub(super) session: SessionId,
    #[serde(rename = "uid")]
    pub(super) user: UserId,
    /// The expiry in Unix seconds.
    pub(super) exp: i64,
}

/// Returns a `Set-Cookie` value for a session that expires at `until`.
pub(super) fn issue(
    public_url: &str,
    secret: &SecretString,
    session: &SessionId,
    user: &UserId,
    until: Timestamp,
) -> Result<HeaderValue> {
    let claim = Claim { session: session.clone(), user: user.clone(), exp: until.unix_seconds() };
    let text = sign(&claim, secret).map_err(ApiError::internal)?;
    cookie::set(public_url, NAME, &text, LONGEST)
}

/// Returns a `Set-Cookie` value that deletes the session cookie.
pub(super) fn end(public_url: &str) -> Result<HeaderValue> {
    cookie::set(public_url, NAME, "", Duration::ZERO)
}

/// Returns the session cookie of a request.
pub(super) fn of(headers: &HeaderMap) -> Option<&str> {
    cookie::named(headers, NAME)
}

/// Returns the content of a cookie if its signature is ours and it has not expired.
pub(super) fn read(text: &str, secret: &SecretString, now: Timestamp) -> Option<Claim> {
    let (payload, signature) = text.split_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    if !mac::same(&signature, &mac::hmac_sha256(secret, &[payload.as_bytes()])) {
        return None;
    }
    let claim: Claim = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    (claim.exp > now.unix_seconds()).then_some(claim)
}

fn sign(claim: &Claim, secret: &SecretString) -> serde_json::Result<String> {
    let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claim)?);
    let signature = URL_SAFE_NO_PAD.encode(mac::hmac_sha256(secret, &[payload.as_bytes()]));
    Ok(format!("{payload}.{signature}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    fn claim() -> Claim {
        Claim { session: "s-1".into(), user: "u-1".into(), exp: 1_000 }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_ms(seconds * 1000)
    }

    #[test]
    fn a_signed_claim_reads_back_until_it_expires() {
        let text = sign(&claim(), &"secret".into()).unwrap();
        assert_eq!(read(&text, &"secret".into(), at(999)), Some(claim()));
        assert_eq!(read(&text, &"secret".into(), at(1_000)), None);
    }

    #[test]
    fn a_changed_claim_or_another_secret_is_refused() {
        let text = sign(&claim(), &"secret".into()).unwrap();
        assert_eq!(read(&text, &"other".into(), at(0)), None);
        let (_, signature) = text.split_once('.').unwrap();
        let other = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&Claim { user: "u-2".into(), ..claim() }).unwrap());
        assert_eq!(read(&format!("{other}.{signature}"), &"secret".into(), at(0)), None);
        for broken in ["", ".", "a.b", &text[..text.len() - 2], &format!("{other}.")] {
            assert_eq!(read(broken, &"secret".into(), at(0)), None);
        }
    }

    /// Browsers hold cookies that an earlier version made.
    #[test]
    fn the_format_stays() {
        let value = issue("https://a.example", &"secret".into(), &"s-1".into(), &"u-1".into(), at(1_000)).unwrap();
        let session = "eyJzaWQiOiJzLTEiLCJ1aWQiOiJ1LTEiLCJleHAiOjEwMDB9.2elPQFLYpJSbasiS08pIr6q6F_vznCJDqFA3FLCOJME";
        let attributes = "HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=2592000";
        assert_eq!(value, format!("session={session}; {attributes}"));
        assert_eq!(read(session, &"secret".into(), at(0)), Some(claim()));
        let ended = end("http://a.example").unwrap();
        assert_eq!(ended, "session=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0");
    }
}
