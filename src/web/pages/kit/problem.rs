//! Errors as pages: one place renders them, whichever layer or handler they come from.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::render::page;
use super::shell::Shell;
use crate::web::auth::{Known, Principal};
use crate::web::error::{ApiError, Cause};
use crate::web::request_id;
use crate::web::state::Web;

/// What a visitor is told instead of a page.
#[derive(Template)]
#[template(path = "problem.html")]
struct Problem<'a> {
    shell: Shell,
    title: &'a str,
    text: &'a str,
    error: &'a ApiError,
    /// By which the log tells more.
    request_id: String,
}

impl Problem<'_> {
    /// Whether the same request may work later.
    fn may_try_again(&self) -> bool {
        self.error.status.is_server_error()
    }
}

/// The title and the sentence of an error's page.
fn words(error: &ApiError) -> (&str, &str) {
    match (error.status, error.code) {
        // Also for what exists and is somebody else's.
        (StatusCode::NOT_FOUND, _) => {
            ("Not found", "This link leads nowhere: it may be incomplete, or what it led to is gone.")
        }
        (StatusCode::FORBIDDEN, "form_expired") => ("Form expired", &error.message),
        (StatusCode::FORBIDDEN, _) => ("Access denied", &error.message),
        (status, _) if status.is_server_error() => ("Something went wrong", "Could not load this. Try again."),
        _ => ("This did not work", &error.message),
    }
}

/// The page of an error, with what the error asks of programs.
async fn rendered(web: &Web, path: &str, error: &ApiError, known: Option<&Principal>) -> Response {
    let is_away = error.status == StatusCode::SERVICE_UNAVAILABLE;
    let (title, text) = words(error);
    let shell = Shell::of_problem(web, path, known, is_away).await;
    refusal(error.clone(), &Problem { shell, title, text, error, request_id: request_id::current() })
}

/// A page that shows an error, with what the error asks of programs.
pub(in crate::web::pages) fn refusal(error: ApiError, template: &impl Template) -> Response {
    let mut response = page(error.status, template);
    error.mark(&mut response);
    response
}

/// Wraps every page: an error that no handler has rendered becomes a page.
pub(in crate::web) async fn layer(State(web): State<Web>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let Some(error) = Cause::of(&response).filter(|_| !is_page(&response)) else { return response };
    let known = response.extensions().get::<Known>().map(|Known(principal)| principal);
    let mut page = rendered(&web, &path, error, known).await;
    for cookie in response.headers().get_all(header::SET_COOKIE) {
        page.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
    page
}

/// The answer to a request that fits no route: a page for a browser, JSON for programs and for all of the API.
pub(in crate::web) async fn unrouted(web: &Web, request: Request, error: ApiError) -> Response {
    let (parts, _) = request.into_parts();
    let path = parts.uri.path();
    let accepted = parts.headers.get_all(header::ACCEPT);
    let by_browser = accepted.iter().any(|value| value.to_str().is_ok_and(|types| types.contains("text/html")));
    if by_browser && path != "/api" && !path.starts_with("/api/") {
        let known = Known::unrouted(web, &parts).await;
        return rendered(web, path, &error, Some(&known)).await;
    }
    error.into_response()
}

fn is_page(response: &Response) -> bool {
    let media_type = response.headers().get(header::CONTENT_TYPE);
    media_type.is_some_and(|value| value.as_bytes().starts_with(b"text/html"))
}
