//! The `Stripe-Signature` header: `t=<unix seconds>,v1=<hex HMAC-SHA256>[,v1=...]`.
//!
//! The signed text is `{t}.{raw body}`, byte for byte; the key is the whole text of the secret, including `whsec_`.
//! While a secret is being rotated, there may be several `v1` and several configured secrets. The age is checked only
//! after a signature has matched, so that it reveals nothing to other senders.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use crate::SignatureError;
use crate::mac::{hmac_sha256, same};

/// Name of the header in lower case.
pub const HEADER: &str = "stripe-signature";

/// Maximum age of a signature in seconds, inclusive.
pub const TOLERANCE_S: i64 = 300;

/// Verifies that one of `secrets` signed this body at most [`TOLERANCE_S`] seconds before `now`. Returns the time of
/// the signature in Unix seconds. A time in the future is accepted, as in Stripe's own libraries.
///
/// # Errors
/// The reason why the signature is rejected.
pub fn verify(
    header: Option<&[u8]>,
    body: &[u8],
    secrets: &[SecretString],
    now: DateTime<Utc>,
) -> Result<i64, SignatureError> {
    if secrets.is_empty() {
        return Err(SignatureError::NotConfigured);
    }
    let header = header.filter(|h| !h.is_empty()).ok_or(SignatureError::Missing)?;
    let claim = Claim::parse(header).ok_or(SignatureError::Malformed)?;
    let mut fits = false;
    for secret in secrets {
        let expected = digest(secret, claim.timestamp, body);
        for signature in &claim.signatures {
            // Every pair is compared, so that the duration does not reveal which one matches.
            fits |= same(signature.as_bytes(), expected.as_bytes());
        }
    }
    if !fits {
        return Err(SignatureError::NoMatch);
    }
    let age_s = now.timestamp().saturating_sub(claim.timestamp);
    if age_s > TOLERANCE_S {
        return Err(SignatureError::TooOld { age_s });
    }
    Ok(claim.timestamp)
}

/// Returns the header value that Stripe would send with `body` at `timestamp` (Unix seconds).
#[must_use]
pub fn sign(secret: &SecretString, timestamp: i64, body: &[u8]) -> String {
    format!("t={timestamp},v1={}", digest(secret, timestamp, body))
}

fn digest(secret: &SecretString, timestamp: i64, body: &[u8]) -> String {
    let signed_at = timestamp.to_string();
    hex::encode(hmac_sha256(secret, &[signed_at.as_bytes(), b".", body]))
}

/// The parsed header.
struct Claim<'a> {
    timestamp: i64,
    signatures: Vec<&'a str>,
}

impl<'a> Claim<'a> {
    /// Returns `None` unless there is a valid `t` and at least one `v1`. Other schemes are ignored.
    fn parse(header: &'a [u8]) -> Option<Self> {
        let header = std::str::from_utf8(header).ok()?;
        let mut timestamp = None;
        let mut signatures = Vec::new();
        for item in header.split(',') {
            match item.split_once('=') {
                Some(("t", value)) if timestamp.is_none() => timestamp = Some(value.parse().ok()?),
                Some(("v1", value)) => signatures.push(value),
                _ => {}
            }
        }
        (!signatures.is_empty()).then_some(Self { timestamp: timestamp?, signatures })
    }
}
