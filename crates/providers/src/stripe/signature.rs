//! The `Stripe-Signature` header: `t=<unix seconds>,v1=<hex HMAC-SHA256>[,v1=...]`.
//!
//! Signed is `{t}.{raw body}`, byte for byte; the key is the whole secret text, `whsec_` included. Several `v1` stand
//! there while a secret is rolled, and several secrets may be configured for the same reason. The age is looked at only
//! once a signature fits, so that a stranger learns nothing from it.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use crate::SignatureError;
use crate::mac::{hmac_sha256, same};

/// The header's name, in lower case.
pub const HEADER: &str = "stripe-signature";

/// A signature of exactly this age, in seconds, still passes.
pub const TOLERANCE_S: i64 = 300;

/// Verifies that one of `secrets` signed exactly this body, at most [`TOLERANCE_S`] seconds before `now`. Returns when
/// it was signed (Unix seconds). A time in the future is accepted, as Stripe's own libraries do.
///
/// # Errors
/// Says why the signature was refused.
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
            // Every pair is compared, so that the time taken tells nothing about which one fits.
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

/// The header value with which Stripe would deliver `body` at `timestamp` (Unix seconds).
#[must_use]
pub fn sign(secret: &SecretString, timestamp: i64, body: &[u8]) -> String {
    format!("t={timestamp},v1={}", digest(secret, timestamp, body))
}

fn digest(secret: &SecretString, timestamp: i64, body: &[u8]) -> String {
    let signed_at = timestamp.to_string();
    hex::encode(hmac_sha256(secret, &[signed_at.as_bytes(), b".", body]))
}

/// What the header claims.
struct Claim<'a> {
    timestamp: i64,
    signatures: Vec<&'a str>,
}

impl<'a> Claim<'a> {
    /// `None` without a readable `t` and at least one `v1`. Other schemes are passed over.
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
