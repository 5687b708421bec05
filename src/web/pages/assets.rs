//! The style sheet and the script modules, embedded in the program.
//!
//! The name of an asset contains the hash of its content, so browsers cache it for ever, and a page never loads an
//! asset of another release. A module is hashed after its imports were rewritten to such names: a change to one module
//! also changes the names of all modules that import it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::web::error::ApiError;
use crate::web::path::Path;
use crate::web::routes::{Contract, Gives};

/// The icon of every page, embedded as a data URL.
pub(super) const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http:%2F%2Fwww.w3.org/2000/svg' viewBox='0 0 20 20'%3E%3Crect \
                               width='20' height='20' rx='5' fill='%23171a2f'/%3E%3Cpath fill='%23f4c25b' \
                               d='M11.6 4.4a6 6 0 1 0 4 8.2 5 5 0 0 1-4-8.2z'/%3E%3C/svg%3E";

/// The number of hex digits of the hash in a name.
const DIGITS: usize = 16;
/// The module that pages load. It imports the others.
const MAIN: &str = "main.js";

macro_rules! modules {
    ($($name:literal),+ $(,)?) => { [$(($name, include_str!(concat!("assets/js/", $name)))),+] };
}

/// The files in `assets/js/`. Each module comes after those that it imports.
const MODULES: [(&str, &str); 11] = modules![
    "elapsed.js",
    "past.js",
    "times.js",
    "toasts.js",
    "mistakes.js",
    "swap.js",
    "dialog.js",
    "send.js",
    "part.js",
    "live.js",
    "main.js",
];
const CSS: &str = include_str!("assets/app.css");

static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets::build(CSS, &MODULES));

struct Asset {
    media_type: &'static str,
    content: String,
}

struct Assets {
    /// The assets by their names under `/assets/`.
    by_name: BTreeMap<String, Asset>,
    css: String,
    main: String,
    /// The modules that [`MAIN`] imports, directly or indirectly.
    imported: Vec<String>,
}

impl Assets {
    fn build(css: &str, modules: &[(&str, &str)]) -> Self {
        let mut by_name = BTreeMap::new();
        let mut add = |stem: &str, extension: &str, media_type, content: String| {
            let hash = hex::encode(Sha256::digest(&content));
            let name = format!("{stem}-{}.{extension}", hash.get(..DIGITS).unwrap_or(&hash));
            by_name.insert(name.clone(), Asset { media_type, content });
            name
        };
        let css = add("app", "css", "text/css; charset=utf-8", css.to_owned());
        let mut named: Vec<(&str, String)> = Vec::new();
        for (module, content) in modules {
            let content = named.iter().fold((*content).to_owned(), |content, (imported, name)| {
                content.replace(&format!("\"./{imported}\""), &format!("\"./{name}\""))
            });
            let stem = module.trim_end_matches(".js");
            named.push((module, add(stem, "js", "text/javascript; charset=utf-8", content)));
        }
        let (main, imported): (Vec<_>, Vec<_>) = named.into_iter().partition(|(module, _)| *module == MAIN);
        Self {
            by_name,
            css,
            main: main.into_iter().map(|(_, name)| name).collect(),
            imported: imported.into_iter().map(|(_, name)| name).collect(),
        }
    }
}

fn path(name: &str) -> String {
    format!("/assets/{name}")
}

/// Returns the path of the style sheet.
pub(super) fn css() -> String {
    path(&ASSETS.css)
}

/// Returns the path of the main module.
pub(super) fn main_module() -> String {
    path(&ASSETS.main)
}

/// Returns the paths of all other modules. A page preloads them, so that a browser need not parse one module to find
/// the next.
pub(super) fn imported_modules() -> impl Iterator<Item = String> {
    ASSETS.imported.iter().map(|name| path(name))
}

/// The response with an asset, or 404.
pub(super) struct File(Response);

impl IntoResponse for File {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Gives for File {
    fn describe(contract: &mut Contract) {
        contract.answer_texts(200, &["text/css", "text/javascript"]);
    }
}

/// `GET /assets/{name}`
pub(super) async fn show(Path(name): Path<String>) -> File {
    let Some(asset) = ASSETS.by_name.get(&name) else {
        // During a deployment another process may have the asset, so the browser must not cache the 404.
        let mut response = ApiError::not_found().into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return File(response);
    };
    let headers = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    File((headers, asset.content.as_str()).into_response())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_served_with_hashed_imports_only() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/pages/assets/js");
        let mut files: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let mut listed = MODULES.map(|(name, _)| name.to_owned());
        listed.sort();
        assert_eq!(files, listed);
        for (name, asset) in &ASSETS.by_name {
            for import in asset.content.split("from \"").skip(1) {
                let imported = import.split('"').next().unwrap().trim_start_matches("./");
                assert!(ASSETS.imported.iter().any(|known| known == imported), "{name} imports {imported}");
            }
        }
    }

    #[test]
    fn a_change_of_a_module_renames_all_that_import_it() {
        let build = |leaf| {
            Assets::build(
                "",
                &[("leaf.js", leaf), ("other.js", ""), ("main.js", "import \"./leaf.js\"; import \"./other.js\"")],
            )
        };
        let (one, two) = (build("1"), build("2"));
        assert_ne!(one.main, two.main);
        assert_ne!(one.imported[0], two.imported[0]);
        assert_eq!(one.imported[1], two.imported[1]);
        let rewritten = &one.by_name[&one.main].content;
        assert_eq!(*rewritten, format!("import \"./{}\"; import \"./{}\"", one.imported[0], one.imported[1]));
    }
}
