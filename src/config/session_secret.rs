//! The secret that signs sessions and links, if the operator has set none.
//!
//! Development creates one at the first start and stores it beside the database, so that links and sessions survive a
//! restart. If several processes start at once, the first file stays, and all of them read it.

use std::io::Write;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::settings::Settings;

const FILE: &str = "session-secret";

/// The session secret can't be read or stored.
#[derive(Debug, thiserror::Error)]
#[error("the session secret can't be kept in {path}: {source}; set SESSION_SECRET instead")]
pub struct SessionSecretError {
    path: String,
    source: std::io::Error,
}

/// Returns the secret from the settings, or else the one stored in the data folder. Creates it if there is none.
///
/// # Errors
/// Returns an error if the file can't be read or written.
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
    // Unlike a rename, a hard link does not replace a file that another process has just created.
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
