//! Errors as pages: one place renders them, whichever layer or handler they come from.

use askama::Template;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::page;
use crate::web::error::{ApiError, Cause};
use crate::web::request_id;

/// What a visitor is told instead of a page.
#[derive(Template)]
#[template(path = "problem.html")]
pub(super) struct Problem<'a> {
    title: &'a str,
    text: &'a str,
    /// Names of form fields, and what is wrong with them.
    fields: Vec<(&'a str, &'a str)>,
    /// By which the log tells more; given when the fault is ours.
    request_id: Option<String>,
}

impl<'a> Problem<'a> {
    pub(super) fn new(title: &'a str, text: &'a str) -> Self {
        Self { title, text, fields: Vec::new(), request_id: None }
    }

    fn of(error: &'a ApiError) -> Self {
        if error.status == StatusCode::NOT_FOUND {
            // Also for what exists and is somebody else's.
            return Self::new("Not found", "This link leads nowhere: it may be incomplete, or what it led to is gone.");
        }
        if error.status.is_server_error() {
            let problem = Self::new("Something went wrong", "Could not load this. Try again.");
            return Self { request_id: Some(request_id::current()), ..problem };
        }
        let fields = error.fields.iter().map(|(name, wrong)| (name.as_str(), wrong.as_str())).collect();
        Self { fields, ..Self::new("This did not work", &error.message) }
    }
}

/// A page that shows an error, with what the error asks of programs.
pub(super) fn refusal(error: ApiError, template: &impl Template) -> Response {
    let mut response = page(error.status, template);
    error.mark(&mut response);
    response
}

/// Wraps every page: an error that no handler has rendered becomes a page.
pub(in crate::web) async fn layer(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let Some(error) = Cause::of(&response).filter(|_| !is_page(&response)) else { return response };
    let mut rendered = refusal(error.clone(), &Problem::of(error));
    for cookie in response.headers().get_all(header::SET_COOKIE) {
        rendered.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
    rendered
}

/// The answer to a request that fits no route: a page for a browser, JSON for programs and for all of the API.
pub(in crate::web) fn unrouted(request: &Request, error: ApiError) -> Response {
    let path = request.uri().path();
    let accepted = request.headers().get_all(header::ACCEPT);
    let by_browser = accepted.iter().any(|value| value.to_str().is_ok_and(|types| types.contains("text/html")));
    if by_browser && path != "/api" && !path.starts_with("/api/") {
        return refusal(error.clone(), &Problem::of(&error));
    }
    error.into_response()
}

fn is_page(response: &Response) -> bool {
    let media_type = response.headers().get(header::CONTENT_TYPE);
    media_type.is_some_and(|value| value.as_bytes().starts_with(b"text/html"))
}
