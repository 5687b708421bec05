//! The table of all routes, and the OpenAPI document and the router that are made from it.
//!
//! Each area exports its routes, and this file joins them. Code that needs all routes is in a file above this one or
//! gets them as an argument.

use std::sync::LazyLock;

use axum::Router;
use utoipa::openapi::OpenApi;

use super::routes::{Route, openapi};
use super::state::Web;
use super::{api, health, layers, pages, receiver};

/// Returns every route of the program.
#[must_use]
pub fn table() -> Vec<Route> {
    let areas = [api::routes(), receiver::routes(), pages::routes(), health::routes()];
    let mut routes: Vec<Route> = areas.into_iter().flatten().collect();
    routes.push(openapi::route(json));
    routes
}

/// Returns the OpenAPI document of the table.
#[must_use]
pub fn document() -> &'static OpenApi {
    static DOCUMENT: LazyLock<OpenApi> = LazyLock::new(|| openapi::describe(table()));
    &DOCUMENT
}

/// Returns the OpenAPI document as JSON.
fn json() -> &'static str {
    // Serialization can't fail: all map keys are text, and all numbers are finite.
    static JSON: LazyLock<String> = LazyLock::new(|| serde_json::to_string(document()).unwrap_or_default());
    &JSON
}

/// Adds every route to a router, with the layers of its kind.
pub(super) fn routed(web: &Web) -> Router<Web> {
    table().into_iter().fold(Router::new(), |router, route| {
        let path = route.path;
        router.route(path, layers::surround(web, route))
    })
}
