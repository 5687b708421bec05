//! Signs webhooks as OpenPhone does, in both generations, for the simulator and tests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Returns the header `webhook-signature` of a current webhook: `v1,<base64>` over `{id}.{seconds}.{body}`. The secret is
/// `whsec_` followed by the key in base64.
#[must_use]
pub fn sign_standard(secret: &SecretString, id: &str, unix_seconds: i64, body: &[u8]) -> String {
    let at = unix_seconds.to_string();
    format!("v1,{}", digest(secret, &[id.as_bytes(), b".", at.as_bytes(), b".", body]))
}

/// Returns one entry of the header `openphone-signature` of a legacy webhook: `hmac;1;<milliseconds>;<base64>` over
/// `{milliseconds}.{body}`. The secret is the key in base64.
#[must_use]
pub fn sign_legacy(secret: &SecretString, unix_ms: i64, body: &[u8]) -> String {
    let at = unix_ms.to_string();
    format!("hmac;1;{at};{}", digest(secret, &[at.as_bytes(), b".", body]))
}

/// A key that is not base64 is used as it is, so that what is signed with it is refused rather than not sent.
#[expect(clippy::expect_used, reason = "HMAC is defined for keys of every length")]
fn digest(secret: &SecretString, parts: &[&[u8]]) -> String {
    let text = secret.expose_secret();
    let text = text.strip_prefix("whsec_").unwrap_or(text);
    let key = STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec());
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    STANDARD.encode(mac.finalize().into_bytes())
}
