//! Authenticates VAPI's webhooks.
//!
//! What VAPI sends depends on its credential. Accepted are the secret itself, in `X-Vapi-Secret` or as a bearer token,
//! and a hex HMAC-SHA256 of `{timestamp}.{body}` in `X-Signature` with `X-Timestamp` (VAPI's documented default).

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use crate::SignatureError;
use crate::mac::{hmac_sha256, same};

/// Name of the header with the shared secret.
pub const SECRET_HEADER: &str = "x-vapi-secret";
/// Name of the header with the HMAC.
pub const SIGNATURE_HEADER: &str = "x-signature";
/// Name of the header with the signed time.
pub const TIMESTAMP_HEADER: &str = "x-timestamp";
const TOLERANCE_S: i64 = 300;
/// Larger timestamps are in milliseconds: as seconds they would be after the year 5000.
const SECONDS_MAX: i64 = 100_000_000_000;

/// The headers that authenticate a delivery.
#[derive(Debug, Clone, Copy, Default)]
pub struct Proof<'a> {
    /// `X-Vapi-Secret`
    pub secret: Option<&'a [u8]>,
    /// `Authorization`
    pub authorization: Option<&'a [u8]>,
    /// `X-Signature`
    pub signature: Option<&'a [u8]>,
    /// `X-Timestamp`, in seconds or milliseconds.
    pub timestamp: Option<&'a [u8]>,
}

/// Verifies that VAPI sent this delivery, with any of `secrets`.
///
/// # Errors
/// The reason why the delivery is rejected.
pub fn verify(
    proof: Proof<'_>,
    body: &[u8],
    secrets: &[SecretString],
    now: DateTime<Utc>,
) -> Result<(), SignatureError> {
    if secrets.is_empty() {
        return Err(SignatureError::NotConfigured);
    }
    if let Some(signature) = proof.signature.filter(|signature| !signature.is_empty()) {
        return verify_hmac(signature, proof.timestamp, body, secrets, now);
    }
    let bearer = proof.authorization.and_then(|value| value.strip_prefix(b"Bearer "));
    let shown = proof.secret.or(bearer).filter(|shown| !shown.is_empty()).ok_or(SignatureError::Missing)?;
    // Every secret is compared, so that the duration does not reveal which one matches.
    let fits = secrets.iter().fold(false, |fits, secret| fits | same(shown, secret.expose_secret().as_bytes()));
    if fits { Ok(()) } else { Err(SignatureError::NoMatch) }
}

fn verify_hmac(
    signature: &[u8],
    timestamp: Option<&[u8]>,
    body: &[u8],
    secrets: &[SecretString],
    now: DateTime<Utc>,
) -> Result<(), SignatureError> {
    let timestamp = timestamp.ok_or(SignatureError::Malformed)?;
    let at = std::str::from_utf8(timestamp).ok().and_then(|text| text.parse::<i64>().ok());
    let at = at.ok_or(SignatureError::Malformed)?;
    let signature = hex::decode(signature).map_err(|_| SignatureError::Malformed)?;
    let fits = secrets.iter().fold(false, |fits, secret| {
        let expected = hmac_sha256(secret, &[timestamp, b".", body]);
        fits | same(&signature, &expected)
    });
    if !fits {
        return Err(SignatureError::NoMatch);
    }
    let seconds = if at.abs() > SECONDS_MAX { at / 1000 } else { at };
    let age_s = now.timestamp().saturating_sub(seconds);
    if age_s > TOLERANCE_S { Err(SignatureError::TooOld { age_s }) } else { Ok(()) }
}

/// Returns the `X-Signature` that VAPI would send with `body` at `timestamp`.
#[must_use]
pub fn sign(secret: &SecretString, timestamp: i64, body: &[u8]) -> String {
    hex::encode(hmac_sha256(secret, &[timestamp.to_string().as_bytes(), b".", body]))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_168_900, 0).unwrap()
    }

    fn secrets() -> Vec<SecretString> {
        vec!["old".into(), "new".into()]
    }

    #[test]
    fn the_secret_is_taken_in_either_header() {
        let by_secret = |secret| Proof { secret: Some(secret), ..Proof::default() };
        assert_eq!(verify(by_secret(b"new"), b"x", &secrets(), now()), Ok(()));
        assert_eq!(verify(by_secret(b"ne"), b"x", &secrets(), now()), Err(SignatureError::NoMatch));
        assert_eq!(verify(by_secret(b""), b"x", &secrets(), now()), Err(SignatureError::Missing));
        let bearer = Proof { authorization: Some(b"Bearer old"), ..Proof::default() };
        assert_eq!(verify(bearer, b"x", &secrets(), now()), Ok(()));
        assert_eq!(verify(bearer, b"x", &[], now()), Err(SignatureError::NotConfigured));
        assert_eq!(verify(Proof::default(), b"x", &secrets(), now()), Err(SignatureError::Missing));
    }

    #[test]
    fn an_hmac_covers_body_and_time() {
        let at = now().timestamp();
        for timestamp in [at, at * 1000, at - 300] {
            let (signature, text) = (sign(&"old".into(), timestamp, b"body"), timestamp.to_string());
            let proof = |signature, timestamp| Proof { signature, timestamp, ..Proof::default() };
            let good = proof(Some(signature.as_bytes()), Some(text.as_bytes()));
            assert_eq!(verify(good, b"body", &secrets(), now()), Ok(()));
            assert_eq!(verify(good, b"tampered", &secrets(), now()), Err(SignatureError::NoMatch));
            let other_time = proof(Some(signature.as_bytes()), Some(b"1795168899"));
            assert_eq!(verify(other_time, b"body", &secrets(), now()), Err(SignatureError::NoMatch));
            let no_time = proof(Some(signature.as_bytes()), None);
            assert_eq!(verify(no_time, b"body", &secrets(), now()), Err(SignatureError::Malformed));
        }
        let old = at - 301;
        let (signature, text) = (sign(&"old".into(), old, b"body"), old.to_string());
        let proof =
            Proof { signature: Some(signature.as_bytes()), timestamp: Some(text.as_bytes()), ..Proof::default() };
        assert_eq!(verify(proof, b"body", &secrets(), now()), Err(SignatureError::TooOld { age_s: 301 }));
    }

    #[test]
    fn a_signature_that_is_there_decides_even_beside_a_right_secret() {
        let proof = Proof { secret: Some(b"new"), signature: Some(b"00"), timestamp: Some(b"1"), ..Proof::default() };
        assert_eq!(verify(proof, b"x", &secrets(), now()), Err(SignatureError::NoMatch));
    }
}
