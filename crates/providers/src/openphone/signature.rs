//! The signatures of OpenPhone's webhooks, of both generations.
//!
//! Current webhooks are signed as Standard Webhooks: `webhook-signature` lists `v1,<base64>` signatures of
//! `{webhook-id}.{webhook-timestamp}.{raw body}`. Legacy ones carry `openphone-signature`, a comma list of
//! `hmac;1;<timestamp>;<base64>`, over `{timestamp}.{raw body}`. Both digests are HMAC-SHA256 under a key that is given in
//! base64. The headers of a request decide its generation. The age is checked only after a signature has matched, so that it
//! reveals nothing to other senders.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretSlice};

use crate::SignatureError;
use crate::mac::{hmac_sha256_of_bytes, same};

/// Name of the header with the id of the delivery, which its repetitions share.
pub const ID_HEADER: &str = "webhook-id";
/// Name of the header with the signed time of a current webhook, in seconds.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// Name of the header with the signatures of a current webhook.
pub const SIGNATURE_HEADER: &str = "webhook-signature";
/// Name of the header with the signatures of a legacy webhook.
pub const LEGACY_HEADER: &str = "openphone-signature";

/// Maximum difference between a signature's time and ours in seconds, in both directions, inclusive.
pub const TOLERANCE_S: i64 = 300;

/// How the key of a current webhook begins.
const CURRENT_PREFIX: &str = "whsec_";
/// Larger timestamps are in milliseconds: as seconds they would be after the year 5000.
const SECONDS_MAX: i64 = 100_000_000_000;

/// A key that signs webhooks.
#[derive(Clone)]
pub struct Key {
    bytes: SecretSlice<u8>,
    /// Whether the key was given with `whsec_` in front, and thus signs current webhooks only.
    is_current: bool,
}

/// The text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key of OpenPhone is base64, with or without whsec_ in front")]
pub struct KeyError;

/// The headers that prove the sender of a delivery.
#[derive(Debug, Clone, Copy, Default)]
pub struct Proof<'a> {
    /// Value of [`ID_HEADER`].
    pub id: Option<&'a [u8]>,
    /// Value of [`TIMESTAMP_HEADER`].
    pub timestamp: Option<&'a [u8]>,
    /// Value of [`SIGNATURE_HEADER`].
    pub signature: Option<&'a [u8]>,
    /// Value of [`LEGACY_HEADER`].
    pub legacy: Option<&'a [u8]>,
}

impl Key {
    /// Reads a key as OpenPhone shows it: `whsec_<base64>` signs current webhooks, `<base64>` legacy ones. Because some
    /// tools show the key of a current webhook without its prefix, a key without one verifies both.
    ///
    /// # Errors
    /// [`KeyError`] if the text is not base64, or empty.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        let (is_current, encoded) = match text.strip_prefix(CURRENT_PREFIX) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let bytes = STANDARD.decode(encoded).ok().filter(|bytes| !bytes.is_empty()).ok_or(KeyError)?;
        Ok(Self { bytes: bytes.into(), is_current })
    }

    /// Whether it signs current webhooks only.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.is_current
    }

    fn digest(&self, parts: &[&[u8]]) -> String {
        STANDARD.encode(hmac_sha256_of_bytes(self.bytes.expose_secret(), parts))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("is_current", &self.is_current).finish_non_exhaustive()
    }
}

/// Verifies that OpenPhone sent this delivery, at most [`TOLERANCE_S`] seconds before or after `now`. A request with the
/// headers of both generations is judged as a current one.
///
/// # Errors
/// The reason why the signature is rejected.
pub fn verify(proof: Proof<'_>, body: &[u8], keys: &[Key], now: DateTime<Utc>) -> Result<(), SignatureError> {
    if keys.is_empty() {
        return Err(SignatureError::NotConfigured);
    }
    let given = |header: Option<&'_ [u8]>| header.is_some_and(|value| !value.is_empty());
    let signed_at = if given(proof.signature) {
        verify_current(proof, body, keys)?
    } else if given(proof.legacy) {
        verify_legacy(proof.legacy.unwrap_or_default(), body, keys)?
    } else {
        return Err(SignatureError::Missing);
    };
    let age_s = now.timestamp().saturating_sub(signed_at);
    if age_s.saturating_abs() > TOLERANCE_S { Err(SignatureError::TooOld { age_s }) } else { Ok(()) }
}

/// Returns the time of the signature that matches.
fn verify_current(proof: Proof<'_>, body: &[u8], keys: &[Key]) -> Result<i64, SignatureError> {
    let (Some(id), Some(timestamp), Some(signatures)) = (proof.id, proof.timestamp, proof.signature) else {
        return Err(SignatureError::Malformed);
    };
    let signed_at = number(timestamp).ok_or(SignatureError::Malformed)?;
    let signatures: Vec<_> =
        signatures.split(|byte| *byte == b' ').filter_map(|signature| signature.strip_prefix(b"v1,")).collect();
    if id.is_empty() || signatures.is_empty() {
        return Err(SignatureError::Malformed);
    }
    let mut fits = false;
    for key in keys {
        let expected = key.digest(&[id, b".", timestamp, b".", body]);
        for signature in &signatures {
            // Every pair is compared, so that the duration does not reveal which one matches.
            fits |= same(signature, expected.as_bytes());
        }
    }
    if fits { Ok(signed_at) } else { Err(SignatureError::NoMatch) }
}

/// Returns the time of the signature that matches.
fn verify_legacy(header: &[u8], body: &[u8], keys: &[Key]) -> Result<i64, SignatureError> {
    let claims: Vec<_> = header.split(|byte| *byte == b',').filter_map(LegacyClaim::parse).collect();
    if claims.is_empty() {
        return Err(SignatureError::Malformed);
    }
    let mut signed_at = None;
    let mut may_fit = false;
    for key in keys.iter().filter(|key| !key.is_current) {
        may_fit = true;
        for claim in &claims {
            let expected = key.digest(&[claim.timestamp, b".", body]);
            if same(claim.signature, expected.as_bytes()) {
                signed_at = Some(claim.signed_at);
            }
        }
    }
    if may_fit { signed_at.ok_or(SignatureError::NoMatch) } else { Err(SignatureError::UnknownKey) }
}

/// One signature of a legacy webhook.
struct LegacyClaim<'a> {
    /// As it was signed.
    timestamp: &'a [u8],
    /// Unix seconds.
    signed_at: i64,
    signature: &'a [u8],
}

impl<'a> LegacyClaim<'a> {
    /// Returns `None` for a signature of another scheme or version.
    fn parse(claim: &'a [u8]) -> Option<Self> {
        let fields: Vec<_> = claim.trim_ascii().split(|byte| *byte == b';').collect();
        let [b"hmac", b"1", timestamp, signature] = fields[..] else { return None };
        let at = number(timestamp)?;
        let signed_at = if at.saturating_abs() > SECONDS_MAX { at / 1000 } else { at };
        Some(Self { timestamp, signed_at, signature })
    }
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Returns the headers that OpenPhone would send with `body` at `timestamp` (Unix seconds): those of a current webhook with
/// this id for a key that begins with `whsec_`, else those of a legacy one.
#[must_use]
pub fn sign(key: &Key, id: &str, timestamp: i64, body: &[u8]) -> Vec<(&'static str, String)> {
    if key.is_current {
        let at = timestamp.to_string();
        let signature = key.digest(&[id.as_bytes(), b".", at.as_bytes(), b".", body]);
        return vec![(ID_HEADER, id.to_owned()), (TIMESTAMP_HEADER, at), (SIGNATURE_HEADER, format!("v1,{signature}"))];
    }
    let at = timestamp.saturating_mul(1000).to_string();
    let signature = key.digest(&[at.as_bytes(), b".", body]);
    vec![(LEGACY_HEADER, format!("hmac;1;{at};{signature}"))]
}
