//! The recorded files under `tests/data`.

use std::path::PathBuf;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A provider's signature vectors.
#[derive(Deserialize)]
pub struct Vectors<C> {
    pub cases: Vec<C>,
}

pub fn vectors<C: DeserializeOwned>(name: &str) -> Vec<C> {
    let text = std::fs::read(path("vectors", name)).unwrap();
    serde_json::from_slice::<Vectors<C>>(&text).unwrap().cases
}

pub fn sample(name: &str) -> Vec<u8> {
    std::fs::read(path("samples", name)).unwrap()
}

/// A form sample, without the line end that editors add.
pub fn form(name: &str) -> Vec<u8> {
    sample(name).trim_ascii_end().to_vec()
}

/// The samples whose name starts so.
pub fn sample_names(prefix: &str) -> Vec<String> {
    let folder = std::fs::read_dir(path("samples", "")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(prefix)).collect()
}

fn path(folder: &str, name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "data", folder, name].iter().collect()
}
