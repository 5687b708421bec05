//! `/login`, `/logout` and `/`

use askama::Template;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use nightshift_domain::people::users::Role;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::kit::{PageForm, Query, landing, page, refusal};
use crate::web::auth::{Caller, Principal, login};
use crate::web::body::JsonOrForm;
use crate::web::error::{ApiError, Result};
use crate::web::state::Web;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page<'a> {
    next: &'a str,
    email: &'a str,
    error: Option<String>,
}

/// Where to go after the sign-in.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = SignInQuery)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /login`
pub(super) async fn show(Query(Next { next }): Query<Next>) -> Response {
    page(StatusCode::OK, &Page { next: &next, email: "", error: None })
}

#[derive(Deserialize, ToSchema)]
#[schema(as = SignInForm)]
pub(super) struct Typed {
    email: String,
    #[schema(value_type = String)]
    password: SecretString,
    #[serde(default)]
    next: String,
}

/// `POST /login`
pub(super) async fn submit(
    State(web): State<Web>,
    parts: Parts,
    JsonOrForm(typed): JsonOrForm<Typed>,
) -> Result<Response> {
    match login::sign_in(&web, &parts, &typed.email, &typed.password).await {
        Ok(signed_in) => {
            let to = inside(&typed.next).unwrap_or(landing(signed_in.user.role));
            Ok(signed_in.answer(|_| Redirect::to(to)).into_response())
        }
        Err(error) => match sentence(&error) {
            Some(sentence) => {
                Ok(refusal(error, &Page { next: &typed.next, email: &typed.email, error: Some(sentence) }))
            }
            None => Err(error),
        },
    }
}

/// Returns `next` if it is a path of this site, so that a link to the sign-in can't redirect elsewhere. Browsers drop
/// tabs and line breaks from a URL and read `\` as `/`, so only printable ASCII without `\` is accepted.
fn inside(next: &str) -> Option<&str> {
    let ours = next.starts_with('/') && !next.starts_with("//");
    let plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (ours && plain).then_some(next)
}

fn sentence(error: &ApiError) -> Option<String> {
    match error.status {
        StatusCode::UNAUTHORIZED => Some("Wrong email or password.".to_owned()),
        StatusCode::TOO_MANY_REQUESTS => {
            Some(format!("Too many attempts. Try again in {}.", in_words(error.retry_after_seconds().unwrap_or(0))))
        }
        _ => None,
    }
}

/// Formats a wait. Minutes are rounded up, as `Retry-After` is.
fn in_words(seconds: u64) -> String {
    match seconds {
        0..=5 => "a moment".to_owned(),
        6..=60 => "1 minute".to_owned(),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

/// The form that signs out. It has no field but the token.
#[derive(Deserialize, ToSchema)]
#[schema(as = SignOutForm)]
pub(super) struct SignOut {}

/// `POST /logout`
pub(super) async fn out(State(web): State<Web>, caller: Caller, _: PageForm<SignOut>) -> Result<Response> {
    Ok(with_cookie(Redirect::to("/login"), login::sign_out(&web, &caller).await?))
}

/// `GET /`: redirects to the landing page of the caller's role.
pub(super) async fn home(caller: Caller) -> Response {
    let role = match caller.principal() {
        Principal::User { user, .. } => user.role,
        _ => Role::Owner,
    };
    Redirect::to(landing(role)).into_response()
}

fn with_cookie(redirect: Redirect, cookie: HeaderValue) -> Response {
    let mut response = redirect.into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_told_in_words() {
        for (seconds, words) in [(1, "a moment"), (6, "1 minute"), (60, "1 minute"), (61, "2 minutes")] {
            assert_eq!(in_words(seconds), words);
        }
    }

    #[test]
    fn nobody_is_sent_elsewhere() {
        assert_eq!(inside("/exceptions?severity=high"), Some("/exceptions?severity=high"));
        for elsewhere in ["", "https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"] {
            assert_eq!(inside(elsewhere), None, "{elsewhere}");
        }
        for unreadable in (0..=b' ').map(char::from).chain(['\u{7f}', '\u{85}', 'é', '\u{2028}']) {
            assert_eq!(inside(&format!("/{unreadable}/evil.example")), None, "{unreadable:?}");
        }
    }
}
