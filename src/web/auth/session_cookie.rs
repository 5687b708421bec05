//! The session cookie: `session=<base64url(json)>.<base64url(HMAC-SHA256)>`, the JSON being `{sid,uid,exp}`.
//!
//! The signature keeps made-up sessions away from the database; whether a session lives is told by its row.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use nightshift_db::Timestamp;
use nightshift_domain::access::sessions::LONGEST;
use nightshift_domain::ids::{SessionId, UserId};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::web::error::{ApiError, Result};

const NAME: &str = "session";

/// What a cookie says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    #[serde(rename = "sid")]
    pub(super) session: SessionId,
    #[serde(rename = "uid")]
    pub(super) user: UserId,
    /// Unix seconds.
    pub(super) exp: i64,
}

/// The cookie of a session until `until`.
pub(super) fn issue(
    public_url: &str,
    secret: &SecretString,
    session: &SessionId,
    user: &UserId,
    until: Timestamp,
) -> Result<HeaderValue> {
    let claim = Claim { session: session.clone(), user: user.clone(), exp: until.unix_seconds() };
    let text = sign(&claim, secret).map_err(ApiError::internal)?;
    header_value(public_url, NAME, &text, LONGEST.as_secs())
}

/// A cookie that ends the browser's.
pub(super) fn end(public_url: &str) -> Result<HeaderValue> {
    header_value(public_url, NAME, "", 0)
}

/// A cookie that scripts can't read and other sites can't use; where the program is reached by HTTPS, it is sent over
/// HTTPS only.
pub(super) fn header_value(public_url: &str, name: &str, text: &str, max_age_s: u64) -> Result<HeaderValue> {
    let secure = if public_url.starts_with("https://") { "; Secure" } else { "" };
    let value = format!("{name}={text}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}");
    HeaderValue::from_str(&value).map_err(ApiError::internal)
}

/// The session cookie that a request carries.
pub(super) fn of(headers: &HeaderMap) -> Option<&str> {
    named(headers, NAME)
}

/// The cookie of this name that a request carries; none when it is empty.
pub(super) fn named<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|value| value.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find_map(|(name, text)| (name == wanted && !text.is_empty()).then_some(text))
}

/// What a cookie says, if it is signed by us and has not expired.
pub(super) fn read(text: &str, secret: &SecretString, now: Timestamp) -> Option<Claim> {
    let (payload, signature) = text.split_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    // In constant time.
    mac(payload, secret)?.verify_slice(&signature).ok()?;
    let claim: Claim = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    (claim.exp > now.unix_seconds()).then_some(claim)
}

fn sign(claim: &Claim, secret: &SecretString) -> serde_json::Result<String> {
    let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claim)?);
    let signature = mac(&payload, secret).map(|mac| URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
    Ok(format!("{payload}.{}", signature.unwrap_or_default()))
}

/// None never: HMAC takes keys of any length.
fn mac(payload: &str, secret: &SecretString) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
    mac.update(payload.as_bytes());
    Some(mac)
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

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; xsession=no; session=yes; b=2"));
        assert_eq!(of(&headers), Some("yes"));
    }
}
