//! Errors as pages: one place renders them, whichever layer or handler they come from.

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

/// What a visitor is told instead of a page.
#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    shell: Shell,
    title: &'a str,
    text: &'a str,
    error: &'a ApiError,
    /// By which the log tells more.
    request_id: String,
    way_on: WayOn,
}

/// Where an error page leads.
enum WayOn {
    /// To the same address, which may work later.
    Again,
    /// To the page whose form was sent.
    Form(String),
    Start,
    Nowhere,
}

impl WayOn {
    /// A form is not sent again by a link; its page is there, one step up.
    fn from(method: &Method, path: &str, error: &ApiError, is_known: bool) -> Self {
        match error.status {
            _ if !method.is_safe() => Self::Form(page_of_form(path).to_owned()),
            status if status.is_server_error() => Self::Again,
            _ if is_known => Self::Start,
            _ => Self::Nowhere,
        }
    }
}

/// The page that a form belongs to: its address is that of the form without the last part.
pub(in crate::web::pages) fn page_of_form(path: &str) -> &str {
    path.rsplit_once('/').map(|(page, _)| page).filter(|page| !page.is_empty()).unwrap_or("/")
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

/// A page that shows an error, with what the error asks of programs.
pub(in crate::web::pages) fn refusal(error: ApiError, template: &impl Template) -> Response {
    let mut response = page(error.status, template);
    error.mark(&mut response);
    response
}

/// Wraps every page: an error that no handler has rendered becomes a page.
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

/// As [`layer`], around the answer to a request that fits no route: programs and all of the API are left with JSON.
pub(in crate::web) async fn unrouted_layer(web: State<Web>, request: Request, next: Next) -> Response {
    if wants_page(request.uri(), request.headers()) { layer(web, request, next).await } else { next.run(request).await }
}

/// The answer to a request that fits no route. Only a page needs to know who asks.
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
