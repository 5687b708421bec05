//! HMAC and the comparison of secrets, for signatures of webhooks and for what the program signs itself.
//!
//! No other file computes an HMAC. A signature is compared with [`same`], whose duration tells nothing about how much of
//! it is right.

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// HMAC-SHA256 over the concatenation of `parts`.
#[must_use]
pub fn hmac_sha256(key: &SecretString, parts: &[&[u8]]) -> Vec<u8> {
    digest::<Hmac<Sha256>>(key, parts)
}

/// HMAC-SHA1 over the concatenation of `parts`. Twilio asks for it; HMAC keeps SHA-1 sound here.
#[must_use]
pub fn hmac_sha1(key: &SecretString, parts: &[&[u8]]) -> Vec<u8> {
    digest::<Hmac<Sha1>>(key, parts)
}

/// Whether both are the same bytes. Takes the same time wherever they differ; only the length shows.
#[must_use]
pub fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

#[expect(clippy::expect_used, reason = "HMAC is defined for keys of every length")]
fn digest<M: Mac + KeyInit>(key: &SecretString, parts: &[&[u8]]) -> Vec<u8> {
    let key = key.expose_secret().as_bytes();
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}
