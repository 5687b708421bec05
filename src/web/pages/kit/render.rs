//! Renders templates as responses, with the headers of every page.

use askama::{DynTemplate, Template};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::web::error::ApiError;

/// Pages load only our own files and can't be framed.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(in crate::web::pages) fn page(status: StatusCode, template: &impl Template) -> Response {
    answer(status, template.render())
}

/// Renders a page, or only the block that the script requests with `?fragment=NAME`.
///
/// `blocks` are the available blocks by name, which the template's `blocks = [...]` attribute lists. The response to
/// another name is 404.
pub(in crate::web::pages) fn page_or_block(
    status: StatusCode,
    template: &impl Template,
    wanted: Option<&str>,
    blocks: &[(&str, &dyn DynTemplate)],
) -> Response {
    let Some(wanted) = wanted else { return page(status, template) };
    match blocks.iter().find(|(name, _)| *name == wanted) {
        Some((_, block)) => answer(status, block.dyn_render()),
        None => ApiError::not_found().into_response(),
    }
}

fn answer(status: StatusCode, rendered: askama::Result<String>) -> Response {
    let html = match rendered {
        Ok(html) => html,
        Err(error) => return ApiError::internal(error).into_response(),
    };
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Copies the cookies of a response to the response that replaces it.
pub(super) fn keep_cookies(replaced: &Response, response: &mut Response) {
    for cookie in replaced.headers().get_all(header::SET_COOKIE) {
        response.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
}
