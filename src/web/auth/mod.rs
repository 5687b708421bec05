//! Who asks, and may they.
//!
//! [`principal`] finds out who a request comes from; [`access`] holds what a route allows and decides, in one place,
//! before any handler runs. A handler gets a [`Caller`], which says for which organisation and as whom it acts, and hands
//! its [`viewer`](Caller::viewer) to the domain, which decides by it which rows are read.

pub mod access;
mod cookie;
pub mod csrf;
mod failures;
mod guesser;
pub mod link;
pub mod login;
mod principal;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use nightshift_domain::actor::Actor;
use nightshift_domain::audience::Audience;
use nightshift_domain::ids::{OrgId, RequestId};
use nightshift_domain::people::users::Role;
use nightshift_domain::viewer::{Reach, Viewer};

pub use self::access::Access;
pub use self::failures::Failures;
pub use self::principal::Principal;
use super::error::{ApiError, Cause, Result};
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

/// Who a handler acts for. It exists only where the route's access was granted.
#[derive(Debug, Clone)]
pub struct Caller(Principal);

impl Caller {
    /// Whoever it is, as the audit log names them.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match &self.0 {
            Principal::User { user, .. } => Actor::User { id: user.id.clone() },
            Principal::Key(key) => Actor::ApiKey { id: key.id.clone() },
            Principal::Local { .. } => Actor::Unauthenticated,
            Principal::Link(_) => Actor::system("request link"),
            Principal::Nobody => Actor::system("anonymous request"),
        }
    }

    /// Whose eyes this caller reads with. Holders of links see nothing until they name a request
    /// ([`viewer_of`](Self::viewer_of)).
    #[must_use]
    pub fn viewer(&self) -> Viewer {
        match &self.0 {
            Principal::User { user, .. } => match (user.role, &user.org_id, &user.sitter_id) {
                (Role::Ops, None, _) => Viewer::all(),
                (Role::Owner, Some(org), _) => Viewer::of_org(org.clone(), Audience::Owner),
                (Role::Sitter, Some(org), Some(sitter)) => Viewer::sitter(org.clone(), sitter.clone()),
                // The database has no such users.
                _ => Viewer::nobody(),
            },
            Principal::Key(key) => match &key.org_id {
                Some(org) => Viewer::of_org(org.clone(), Audience::Owner),
                None => Viewer::all(),
            },
            Principal::Local { org: Some(org) } => Viewer::of_org(org.clone(), Audience::Owner),
            Principal::Local { org: None } => Viewer::new(Reach::All, Audience::Owner),
            Principal::Link(_) | Principal::Nobody => Viewer::nobody(),
        }
    }

    /// As [`viewer`](Self::viewer), for what is read of one organisation.
    ///
    /// # Errors
    /// As [`org`](Self::org).
    pub fn org_viewer(&self) -> Result<Viewer> {
        self.org()?;
        Ok(self.viewer())
    }

    /// As [`viewer`](Self::viewer), for what is read of a request for an appointment: its own link opens it.
    ///
    /// # Errors
    /// 404 for the link of another request; as [`org`](Self::org) for callers that belong to no organisation, except ops.
    pub fn viewer_of(&self, web: &Web, request: &RequestId) -> Result<Viewer> {
        match &self.0 {
            Principal::Link(tokens) if tokens.open(&web.session_secret, request) => {
                Ok(Viewer::of_request(request.clone()))
            }
            Principal::Link(_) => Err(ApiError::not_found()),
            Principal::User { user, .. } if user.role == Role::Ops => Ok(self.viewer()),
            _ => self.org_viewer(),
        }
    }

    /// The organisation in which something is to be changed.
    ///
    /// # Errors
    /// 403 for callers that belong to none.
    pub fn org(&self) -> Result<&OrgId> {
        let org = match &self.0 {
            Principal::User { user, .. } => user.org_id.as_ref(),
            Principal::Key(key) => key.org_id.as_ref(),
            Principal::Local { org } => org.as_ref(),
            Principal::Link(_) | Principal::Nobody => None,
        };
        org.ok_or_else(|| match &self.0 {
            Principal::Local { .. } => {
                ApiError::conflict("no_organization", "There is no organisation yet; load one with `nightshift seed`.")
            }
            _ => ApiError::forbidden("organization", "This is done for an organisation, and you belong to none."),
        })
    }

    /// Who it is.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.0
    }
}

impl FromRequestParts<Web> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self> {
        // A route that forgot its access has no caller: it fails closed.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::internal("a route without access"))
    }
}
