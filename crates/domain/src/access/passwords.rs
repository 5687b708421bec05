//! Passwords: Argon2id with the crate's default parameters (19 MiB and 2 passes, as OWASP recommends), stored as
//! PHC strings.
//!
//! Hashing and verifying both need a slot from `hashing`. There is no other way to make a [`Hashed`] password.

use argon2::password_hash::rand_core::{OsRng, RngCore};
use argon2::password_hash::{Output, PasswordHash, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

pub use super::hashing::{HashSlot, request_operator_slot, request_slot};
use crate::{Error, Result};

/// Shortest accepted password, in characters.
const CHARS_MIN: usize = 10;
/// Longest accepted password, in bytes. The limit keeps callers from choosing the hashing time.
const BYTES_MAX: usize = 1024;
/// Compared with the password if the account does not exist: random bytes that are the hash of no known password.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$KcPjWPj0sKFLdAD/gz2SWA$+FQwB24CBaMLMvqTSzcAyJulvArY7h9KBK5j5qjdK2w";

/// A password hash in the form in which it is stored, a PHC string.
#[derive(Clone)]
pub struct Hashed(String);

impl Hashed {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Hashed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hashed(..)")
    }
}

/// Hashes a password that a user chose. Hashing takes tens of milliseconds, so do it before a transaction begins.
///
/// # Errors
/// [`Error::Invalid`] if the password is too short or too long; [`Error::Busy`] if no slot became free in time.
pub async fn hash(slot: HashSlot, password: &SecretString) -> Result<Hashed> {
    let text = password.expose_secret();
    if text.chars().count() < CHARS_MIN || text.len() > BYTES_MAX {
        return Err(Error::invalid(
            "password",
            format!("must have {CHARS_MIN} characters or more, at most {BYTES_MAX} bytes"),
        ));
    }
    let password = password.clone();
    slot.run(move |memory| hash_in(memory, &password))
        .await?
        .map(Hashed)
        .map_err(|error| Error::invalid("password", error.to_string()))
}

fn hash_in(memory: &mut [Block], password: &SecretString) -> argon2::password_hash::Result<String> {
    let salt = SaltString::generate(&mut OsRng);
    let (algorithm, version, params) = (Algorithm::default(), Version::default(), Params::DEFAULT);
    let output = output_in(memory, password, salt.as_salt(), algorithm, version, &params, Params::DEFAULT_OUTPUT_LEN)?;
    let phc = PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: (&params).try_into()?,
        salt: Some(salt.as_salt()),
        hash: Some(output),
    };
    Ok(phc.to_string())
}

/// Returns a random password of 144 bits.
#[must_use]
pub fn random() -> SecretString {
    let mut bytes = [0; 18];
    OsRng.fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes).into()
}

/// Returns whether `password` matches the stored hash. Without a stored hash the result is `false`, after the same
/// amount of work.
///
/// # Errors
/// [`Error::Busy`] if no slot became free in time; nothing was compared then.
pub async fn verify(slot: HashSlot, password: &SecretString, stored: Option<&str>) -> Result<bool> {
    if password.expose_secret().len() > BYTES_MAX {
        // No account has a password of this length, so skipping the hash reveals nothing about the account.
        return Ok(false);
    }
    let (password, stored) = (password.clone(), stored.map(str::to_owned));
    slot.run(move |memory| {
        let right = is_hash_of(memory, &password, stored.as_deref().unwrap_or(NOBODYS)).unwrap_or(false);
        right && stored.is_some()
    })
    .await
}

/// Compares a password with a stored hash. Returns an error if `stored` is not a hash of the expected form.
fn is_hash_of(memory: &mut [Block], password: &SecretString, stored: &str) -> argon2::password_hash::Result<bool> {
    use argon2::password_hash::Error::PhcStringField;
    let phc = PasswordHash::new(stored)?;
    let (salt, wanted) = (phc.salt.ok_or(PhcStringField)?, phc.hash.ok_or(PhcStringField)?);
    let version = Version::try_from(phc.version.ok_or(PhcStringField)?)?;
    let (algorithm, params) = (Algorithm::try_from(phc.algorithm)?, Params::try_from(&phc)?);
    let output = output_in(memory, password, salt, algorithm, version, &params, wanted.len())?;
    Ok(output.as_bytes().ct_eq(wanted.as_bytes()).into())
}

/// Runs Argon2 on a password. `memory` has the size that our own parameters need; larger parameters are an error.
fn output_in(
    memory: &mut [Block],
    password: &SecretString,
    salt: Salt<'_>,
    algorithm: Algorithm,
    version: Version,
    params: &Params,
    bytes: usize,
) -> argon2::password_hash::Result<Output> {
    let mut buffer = [0; Salt::MAX_LENGTH];
    let salt = salt.decode_b64(&mut buffer)?;
    let argon2 = Argon2::new(algorithm, version, params.clone());
    let password = password.expose_secret().as_bytes();
    Output::init_with(bytes, |out| Ok(argon2.hash_password_into_with_memory(password, salt, out, memory)?))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use argon2::{PasswordHasher, PasswordVerifier};

    use super::*;

    async fn is(password: &str, stored: Option<&str>) -> bool {
        verify(request_operator_slot(), &password.into(), stored).await.unwrap()
    }

    #[tokio::test]
    async fn the_right_password_alone_is_taken() {
        let stored = hash(request_operator_slot(), &"correct horse".into()).await.unwrap();
        let stored = stored.as_str();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(is("correct horse", Some(stored)).await);
        assert!(!is("correct horsf", Some(stored)).await);
        assert!(!is("correct horse", None).await);
        assert!(!is("correct horse", Some("no hash at all")).await);
        assert!(!is(&"long".repeat(1000), Some(stored)).await);
    }

    #[tokio::test]
    async fn hashes_are_those_of_the_crate_both_ways() {
        let ours = hash(request_operator_slot(), &"correct horse".into()).await.unwrap();
        let parsed = PasswordHash::new(ours.as_str()).unwrap();
        Argon2::default().verify_password(b"correct horse", &parsed).unwrap();
        let salt = SaltString::generate(&mut OsRng);
        let theirs = Argon2::default().hash_password(b"correct horse", &salt).unwrap().to_string();
        assert!(is("correct horse", Some(&theirs)).await);
    }

    #[test]
    fn nobodys_password_costs_what_anybodys_does() {
        let nobodys = PasswordHash::new(NOBODYS).unwrap();
        let params = Params::try_from(&nobodys).unwrap();
        let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        assert_eq!(costs(&params), costs(&Params::DEFAULT));
        assert_eq!(nobodys.hash.unwrap().len(), Params::DEFAULT_OUTPUT_LEN);
        assert_eq!(nobodys.version, Some(Version::default().into()));
    }

    #[tokio::test]
    async fn a_short_password_is_refused() {
        assert!(hash(request_operator_slot(), &"short".into()).await.is_err());
    }
}
