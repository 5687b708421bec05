//! A short form of a text that need not be readable, only told from others.

use sha2::{Digest, Sha256};

/// Returns the first 16 hexadecimal digits of the text's SHA-256.
pub(crate) fn short_hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes())[..8])
}
