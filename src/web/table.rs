//! Every route of the program, in one table, its description and its handlers.
//!
//! Each area exports its rows, and they are joined here. Whatever needs all of them stands above this file, or is handed
//! them.

use std::sync::LazyLock;

use axum::Router;
use utoipa::openapi::OpenApi;

use super::routes::{Route, openapi};
use super::state::Web;
use super::{api, health, layers, pages, receiver};

/// Every route of the program.
#[must_use]
pub fn table() -> Vec<Route> {
    let areas = [api::routes(), receiver::routes(), pages::routes(), health::routes()];
    let mut routes: Vec<Route> = areas.into_iter().flatten().collect();
    routes.push(openapi::route(json));
    routes
}

/// The table as an OpenAPI document.
#[must_use]
pub fn document() -> &'static OpenApi {
    static DOCUMENT: LazyLock<OpenApi> = LazyLock::new(|| openapi::describe(table()));
    &DOCUMENT
}

/// The document as its route sends it.
fn json() -> &'static str {
    // Maps with text keys and numbers that are finite always become JSON.
    static JSON: LazyLock<String> = LazyLock::new(|| serde_json::to_string(document()).unwrap_or_default());
    &JSON
}

/// The handlers of the table, each with what its kind needs around it.
pub(super) fn routed(web: &Web) -> Router<Web> {
    table().into_iter().fold(Router::new(), |router, route| {
        let path = route.path;
        router.route(path, layers::surround(web, route))
    })
}
