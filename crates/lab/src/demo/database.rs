//! The database of the demo.

use std::path::Path;

use anyhow::Context;
use secrecy::SecretString;

/// The SQLite file that stays after the demo, so that users can inspect it. The next demo removes it.
const KEPT: &str = "data/demo.db";

pub(super) enum Place {
    /// The database that the caller named.
    Named(SecretString),
    /// A fresh file that stays after the demo.
    Kept,
    /// A fresh file in a folder that is removed when this is dropped.
    Passing(tempfile::TempDir),
}

impl Place {
    pub(super) fn choose(named: Option<SecretString>, passing: bool) -> anyhow::Result<Self> {
        if let Some(url) = named {
            return Ok(Self::Named(url));
        }
        if passing {
            let folder = tempfile::Builder::new().prefix("nightshift-demo-").tempdir();
            return Ok(Self::Passing(folder.context("a temporary folder can't be made")?));
        }
        remove(Path::new(KEPT))?;
        Ok(Self::Kept)
    }

    pub(super) fn url(&self) -> SecretString {
        match self {
            Self::Named(url) => url.clone(),
            Self::Kept => format!("sqlite://{KEPT}").into(),
            Self::Passing(folder) => format!("sqlite://{}", folder.path().join("demo.db").display()).into(),
        }
    }
}

/// Removes the SQLite file of the previous demo with its WAL files.
fn remove(file: &Path) -> anyhow::Result<()> {
    for extension in ["db", "db-wal", "db-shm"] {
        let file = file.with_extension(extension);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{} can't be removed", file.display()));
            }
            _ => {}
        }
    }
    Ok(())
}
