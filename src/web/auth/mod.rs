//! Authentication and authorisation.
//!
//! [`principal`] identifies the sender of a request. [`access`] states who may use a route and decides, in one place,
//! before any handler runs. A handler gets a [`Caller`], which names the organisation and the actor, and passes its
//! [`viewer`](Caller::viewer) to the domain, which reads only the rows that this viewer may see.

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

/// Identifies the caller and runs the route if `access` allows it. Answers 401, 403 or 429 otherwise.
pub async fn layer(State((web, access)): State<(Web, Access)>, request: Request, next: Next) -> Response {
    // The body is not `Sync`, so only the parts are borrowed across an await.
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

/// Answers a request that matches no route with `error`, together with its principal if it can be identified. A caller
/// over the rate limit gets 429 instead.
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

/// Adds the principal to an error response, and the cookie of a prolonged session to any response.
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

/// The principal of a request that failed, in the extensions of the response. The error page renders its navigation
/// from it. It grants nothing.
#[derive(Debug, Clone)]
pub struct Known(pub Principal);
