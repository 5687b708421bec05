//! Who asks, and may they.
//!
//! [`principal`] finds out who a request comes from; [`access`] holds what a route allows and decides, in one place,
//! before any handler runs. A handler gets a [`Caller`], which says for which organisation and as whom it acts, and hands
//! its [`viewer`](Caller::viewer) to the domain, which decides by it which rows are read.

pub mod access;
mod caller;
pub mod csrf;
mod failures;
mod guesser;
mod keyed;
pub mod link;
pub mod login;
mod principal;
mod session_cookie;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

pub use self::access::Access;
pub use self::caller::Caller;
pub use self::failures::Failures;
pub use self::principal::Principal;
use super::error::{ApiError, Cause};
use super::state::Web;

/// Lets a request through to a route with this access, with its caller known; else answers 401, 403 or 429.
pub async fn layer(State((web, access)): State<(Web, Access)>, request: Request, next: Next) -> Response {
    // A body can't be shared between threads, what stands before it can.
    let (mut parts, body) = request.into_parts();
    let identified = match principal::identify(&web, &parts).await {
        Ok(identified) => identified,
        Err(error) => return error.into_response(),
    };
    let known = Known(identified.principal.clone());
    let admitted = csrf::check(&web, &parts, &identified.principal).and_then(|()| access.admit(identified.principal));
    let mut response = match admitted {
        Ok(caller) => {
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(error) => error.into_response(),
    };
    mark(&mut response, known, identified.renewed_cookie);
    response
}

/// Answers a request that fits no route with `error`. Nobody is known where it can't be found out who asks; who asks too
/// often is told to wait.
pub async fn unrouted(web: &Web, request: &Parts, error: ApiError) -> Response {
    let identified = match principal::identify(web, request).await {
        Ok(identified) => identified,
        Err(refused) if refused.status == StatusCode::TOO_MANY_REQUESTS => return refused.into_response(),
        Err(_) => return error.into_response(),
    };
    let mut response = error.into_response();
    mark(&mut response, Known(identified.principal), identified.renewed_cookie);
    response
}

/// Says of an error who was answered with it, and sends the cookie of a prolonged session.
fn mark(response: &mut Response, known: Known, renewed_cookie: Option<HeaderValue>) {
    if Cause::of(response).is_some() {
        response.extensions_mut().insert(known);
    }
    if let Some(renewed) = renewed_cookie
        && !response.headers().contains_key(header::SET_COOKIE)
    {
        response.headers_mut().insert(header::SET_COOKIE, renewed);
    }
}

/// Who was answered with an error, in the answer's extensions: the error's page shows them their bar. It grants nothing.
#[derive(Debug, Clone)]
pub struct Known(pub Principal);
