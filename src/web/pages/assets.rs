//! The style sheet and the script, built into the program.
//!
//! An asset's name holds the hash of its content, so a browser keeps it for ever, and a page of this release loads the
//! script of this release or none.

use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::web::error::ApiError;
use crate::web::path::Path;
use crate::web::routes::{Contract, Gives};

/// The icon of every page, small enough to be part of it.
pub(super) const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http:%2F%2Fwww.w3.org/2000/svg' viewBox='0 0 20 20'%3E%3Crect \
                               width='20' height='20' rx='5' fill='%23171a2f'/%3E%3Cpath fill='%23f4c25b' \
                               d='M11.6 4.4a6 6 0 1 0 4 8.2 5 5 0 0 1-4-8.2z'/%3E%3C/svg%3E";

/// Hex digits of the hash in a name.
const DIGITS: usize = 16;

/// A file that pages load.
pub(super) struct Asset {
    /// Under `/assets/`.
    name: String,
    media_type: &'static str,
    content: &'static str,
}

/// The style sheet of all pages.
pub(super) static CSS: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("css", "text/css; charset=utf-8", include_str!("assets/app.css")));
/// The script of all pages.
pub(super) static JS: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("js", "text/javascript; charset=utf-8", include_str!("assets/app.js")));

impl Asset {
    fn new(extension: &str, media_type: &'static str, content: &'static str) -> Self {
        let hash = hex::encode(Sha256::digest(content));
        let name = format!("app-{}.{extension}", hash.get(..DIGITS).unwrap_or(&hash));
        Self { name, media_type, content }
    }

    /// Its address.
    pub(super) fn path(&self) -> String {
        format!("/assets/{}", self.name)
    }
}

/// A file, or the error that there is none.
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
    let assets = [(&CSS, "app.css"), (&JS, "app.js")];
    let Some((asset, _)) = assets.into_iter().find(|(asset, former)| asset.name == name || *former == name) else {
        // During a deployment another process may have it: the browser must ask again.
        let mut response = ApiError::not_found().into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return File(response);
    };
    // Pages of the release before this one name their assets so, and are still served and open while this one is
    // deployed. The next release drops these names.
    let is_former = asset.name != name;
    let keep = if is_former { "public, max-age=60" } else { "public, max-age=31536000, immutable" };
    let headers = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CACHE_CONTROL, keep),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    File((headers, asset.content).into_response())
}
