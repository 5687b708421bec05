//! The secret that signs sessions and links, when the operator has not set one.
//!
//! In development one is made at the first start and kept beside the database, so that links and sessions outlive a
//! restart. Several processes may start at once: the first to put the file there wins, all read what stands.

use std::io::Write;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::settings::Settings;

const FILE: &str = "session-secret";

/// The secret could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("the session secret can't be kept in {path}: {source}; set SESSION_SECRET instead")]
pub struct SessionSecretError {
    path: String,
    source: std::io::Error,
}

/// The secret that is set, or the one kept in the data folder, made when there is none.
///
/// # Errors
/// The file can't be read or written.
pub fn session_secret(settings: &Settings) -> Result<SecretString, SessionSecretError> {
    if let Some(secret) = &settings.auth.session_secret {
        return Ok(secret.clone());
    }
    let path = settings.data_folder().join(FILE);
    kept_in(&path).map_err(|source| SessionSecretError { path: path.display().to_string(), source })
}

fn kept_in(path: &Path) -> std::io::Result<SecretString> {
    if let Ok(secret) = std::fs::read_to_string(path) {
        return Ok(secret.trim().into());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // Two random UUIDs hold 244 bits from the operating system's generator.
    let fresh = SecretString::from(format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple()));
    let own = path.with_extension(uuid::Uuid::new_v4().simple().to_string());
    write_private(&own, fresh.expose_secret())?;
    // Unlike a rename, a link does not replace what another process has just put there.
    let linked = std::fs::hard_link(&own, path);
    std::fs::remove_file(&own)?;
    match linked {
        Ok(()) => Ok(fresh),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Ok(std::fs::read_to_string(path)?.trim().into())
        }
        Err(error) => Err(error),
    }
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
