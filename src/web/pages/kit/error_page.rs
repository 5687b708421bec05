//! Renders errors as pages, for every layer and handler.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::render::{keep_cookies, page};
use super::shell::Shell;
use crate::web::auth::{self, Known};
use crate::web::error::{ApiError, Cause};
use crate::web::request_id;
use crate::web::state::Web;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    shell: Shell,
    title: &'a str,
    text: &'a str,
    error: &'a ApiError,
    /// The id under which the log has the details.
    request_id: String,
    way_on: WayOn,
}

/// Where the link of an error page leads.
enum WayOn {
    /// To the same path, which may work later.
    Again,
    /// To the page whose form was sent.
    Form(String),
    Start,
    Nowhere,
}

impl WayOn {
    /// Chooses the link. A link can't resend a form, so after a form it leads to the form's page, one path segment up.
    fn from(method: &Method, path: &str, error: &ApiError, is_known: bool) -> Self {
        match error.status {
            _ if !method.is_safe() => Self::Form(page_of_form(path).to_owned()),
            status if status.is_server_error() => Self::Again,
            _ if is_known => Self::Start,
            _ => Self::Nowhere,
        }
    }
}

/// Returns the page of a form. Its path is that of the form without the last segment.
pub(in crate::web::pages) fn page_of_form(path: &str) -> &str {
    path.rsplit_once('/').map(|(page, _)| page).filter(|page| !page.is_empty()).unwrap_or("/")
}

/// Returns the title and the text of an error page.
fn words(error: &ApiError) -> (&str, &str) {
    match (error.status, error.code) {
        // Also for resources of others, so that a page does not reveal them.
        (StatusCode::NOT_FOUND, _) => (
            "Not found",
            "Nothing was found at this link. The link may be incomplete, or the page may have been removed.",
        ),
        (StatusCode::FORBIDDEN, "form_expired") => ("Form expired", &error.message),
        (StatusCode::FORBIDDEN, _) => ("Access denied", &error.message),
        (status, _) if status.is_server_error() => ("Something went wrong", "Could not load this. Try again."),
        _ => ("Request failed", &error.message),
    }
}

/// Renders an error page with the headers of the error, such as `Retry-After`.
pub(in crate::web::pages) fn refusal(error: ApiError, template: &impl Template) -> Response {
    let mut response = page(error.status, template);
    error.mark(&mut response);
    response
}

/// Renders errors that no handler has rendered as pages.
pub(in crate::web) async fn layer(State(web): State<Web>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let Some(error) = Cause::of(&response).filter(|_| !is_page(&response)) else { return response };
    let known = response.extensions().get::<Known>().map(|Known(principal)| principal);
    let is_away = error.status == StatusCode::SERVICE_UNAVAILABLE;
    let (title, text) = words(error);
    let shell = Shell::of_error_page(&web, &path, known, is_away).await;
    let way_on = WayOn::from(&method, &path, error, shell.who.is_some());
    let page_of_error = ErrorPage { shell, title, text, error, request_id: request_id::current(), way_on };
    let mut page = refusal(error.clone(), &page_of_error);
    keep_cookies(&response, &mut page);
    page
}

/// Like [`layer`], for requests that match no route. Programs, and all paths of the API, get JSON.
pub(in crate::web) async fn unrouted_layer(web: State<Web>, request: Request, next: Next) -> Response {
    if wants_page(request.uri(), request.headers()) { layer(web, request, next).await } else { next.run(request).await }
}

/// Answers a request that matches no route. Only a page needs to identify the caller.
pub(in crate::web) async fn unrouted(web: &Web, request: Request, error: ApiError) -> Response {
    let (parts, _) = request.into_parts();
    if wants_page(&parts.uri, &parts.headers) {
        return auth::unrouted(web, &parts, error).await;
    }
    error.into_response()
}

fn wants_page(uri: &Uri, headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT);
    let by_browser = accepted.iter().any(|value| value.to_str().is_ok_and(|types| types.contains("text/html")));
    by_browser && uri.path() != "/api" && !uri.path().starts_with("/api/")
}

fn is_page(response: &Response) -> bool {
    let media_type = response.headers().get(header::CONTENT_TYPE);
    media_type.is_some_and(|value| value.as_bytes().starts_with(b"text/html"))
}
