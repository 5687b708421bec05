//! Who asks, and may they.
//!
//! [`principal`] finds out who a request comes from; [`access`] holds what a route allows and decides, in one place,
//! before any handler runs. A handler gets a [`Caller`], which says for which organisation and as whom it acts, and hands
//! its [`viewer`](Caller::viewer) to the domain, which decides by it which rows are read.

pub mod access;
mod caller;
mod cookie;
pub mod csrf;
mod failures;
mod guesser;
pub mod link;
pub mod login;
mod principal;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

pub use self::access::Access;
pub use self::caller::Caller;
pub use self::failures::Failures;
pub use self::principal::Principal;
use super::error::Cause;
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
    if Cause::of(&response).is_some() {
        response.extensions_mut().insert(known);
    }
    if let Some(renewed) = identified.renewed_cookie
        && !response.headers().contains_key(axum::http::header::SET_COOKIE)
    {
        response.headers_mut().insert(axum::http::header::SET_COOKIE, renewed);
    }
    response
}

/// Who was answered with an error, in the answer's extensions: the error's page shows them their bar. It grants nothing.
#[derive(Debug, Clone)]
pub struct Known(pub Principal);

impl Known {
    /// Who sent a request that fits no route; nobody when that can't be found out.
    pub async fn unrouted(web: &Web, request: &Parts) -> Principal {
        principal::identify(web, request).await.map_or(Principal::Nobody, |identified| identified.principal)
    }
}
