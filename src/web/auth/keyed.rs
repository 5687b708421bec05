//! Codes that nobody makes without a secret of this program: an HMAC-SHA256 of a purpose and a subject, in hex.
//!
//! The purpose keeps codes apart that are made with one secret: a code of one purpose is wrong for every other.

use nightshift_providers::mac;
use secrecy::SecretString;

/// The code of a subject for one purpose.
pub(super) fn code(secret: &SecretString, purpose: &[u8], subject: &str) -> String {
    hex::encode(mac::hmac_sha256(secret, &[purpose, subject.as_bytes()]))
}

/// Whether `shown` is the code of this subject for this purpose. Takes the same time wherever the two differ.
pub(super) fn is_good(secret: &SecretString, purpose: &[u8], subject: &str, shown: &str) -> bool {
    mac::same(shown.as_bytes(), code(secret, purpose, subject).as_bytes())
}
