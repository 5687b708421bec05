//! Passwords: Argon2id with the crate's defaults (OWASP's recommendation of 19 MiB, 2 passes), stored as PHC strings.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::rand_core::{OsRng, RngCore};
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};

use crate::{Error, Result};

/// Shortest password taken, in characters.
const CHARS_MIN: usize = 10;
/// Longest password taken, in bytes: hashing time must not be the caller's choice.
const BYTES_MAX: usize = 1024;

/// The PHC string of `password`.
///
/// # Errors
/// When it is too short or too long.
pub fn hash(password: &SecretString) -> Result<String> {
    let text = password.expose_secret();
    if text.chars().count() < CHARS_MIN || text.len() > BYTES_MAX {
        return Err(Error::invalid(
            "password",
            format!("must have {CHARS_MIN} characters or more, at most {BYTES_MAX} bytes"),
        ));
    }
    Argon2::default()
        .hash_password(text.as_bytes(), &SaltString::generate(&mut OsRng))
        .map(|hash| hash.to_string())
        .map_err(|error| Error::invalid("password", error.to_string()))
}

/// A password that nobody chose: 144 random bits.
#[must_use]
pub fn random() -> SecretString {
    let mut bytes = [0; 18];
    OsRng.fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes).into()
}

/// Whether `password` is the one whose hash is stored. Without a stored hash the answer is no, after the same work.
#[must_use]
pub fn verify(password: &SecretString, stored: Option<&str>) -> bool {
    static NOBODYS: LazyLock<String> = LazyLock::new(|| hash(&"nobody has this one".into()).unwrap_or_default());
    let text = password.expose_secret();
    let Ok(hash) = PasswordHash::new(stored.unwrap_or(&NOBODYS)) else { return false };
    let right = text.len() <= BYTES_MAX && Argon2::default().verify_password(text.as_bytes(), &hash).is_ok();
    right && stored.is_some()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn the_right_password_alone_is_taken() {
        let stored = hash(&"correct horse".into()).unwrap();
        assert!(stored.starts_with("$argon2id$"), "{stored}");
        assert!(verify(&"correct horse".into(), Some(&stored)));
        assert!(!verify(&"correct horsf".into(), Some(&stored)));
        assert!(!verify(&"nobody has this one".into(), None));
        assert!(!verify(&"correct horse".into(), Some("no hash at all")));
    }

    #[test]
    fn a_short_password_is_refused() {
        assert!(hash(&"short".into()).is_err());
    }
}
