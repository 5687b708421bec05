//! Codes that can be made only with a secret of this program: the HMAC-SHA256 of a purpose and a subject, in hex.
//!
//! One secret serves several purposes; a code for one purpose is not valid for another.

use nightshift_providers::mac;
use secrecy::SecretString;

/// Returns the code of `subject` for `purpose`.
pub(super) fn code(secret: &SecretString, purpose: &[u8], subject: &str) -> String {
    hex::encode(mac::hmac_sha256(secret, &[purpose, subject.as_bytes()]))
}

/// Returns whether `shown` is the code of `subject` for `purpose`, in a time that does not depend on where they differ.
pub(super) fn is_good(secret: &SecretString, purpose: &[u8], subject: &str, shown: &str) -> bool {
    mac::same(shown.as_bytes(), code(secret, purpose, subject).as_bytes())
}
