//! Keyed digests for webhook signatures, and a comparison in constant time.

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Returns the HMAC-SHA256 of the concatenated `parts`.
#[must_use]
pub fn hmac_sha256(key: &SecretString, parts: &[&[u8]]) -> Vec<u8> {
    digest::<Hmac<Sha256>>(key.expose_secret().as_bytes(), parts)
}

/// As [`hmac_sha256`], with a key that is not text.
#[must_use]
pub fn hmac_sha256_of_bytes(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    digest::<Hmac<Sha256>>(key, parts)
}

/// Returns the HMAC-SHA1 of the concatenated `parts`. Twilio requires it; the weakness of SHA-1 does not affect HMAC.
#[must_use]
pub fn hmac_sha1(key: &SecretString, parts: &[&[u8]]) -> Vec<u8> {
    digest::<Hmac<Sha1>>(key.expose_secret().as_bytes(), parts)
}

/// Compares in a time that does not depend on where the two differ, only on their length.
#[must_use]
pub fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

#[expect(clippy::expect_used, reason = "HMAC is defined for keys of every length")]
fn digest<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}
