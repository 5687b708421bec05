//! Who asks, and may they.
//!
//! [`principal`] finds out who a request comes from; [`access`] holds what a route allows and decides, in one place,
//! before any handler runs. A handler gets a [`Caller`], which says for which organisation and as whom it acts; it
//! can't forget the question, only answer it.

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
use nightshift_domain::ids::{OrgId, RequestId, SitterId};
use nightshift_domain::people::users::Role;

pub use self::access::Access;
pub use self::failures::Failures;
pub use self::principal::Principal;
use super::error::{ApiError, Result};
use super::state::Web;

/// Lets a request through to a route with this access, with its caller known; else answers 401, 403 or 429.
pub async fn layer(State((web, access)): State<(Web, Access)>, request: Request, next: Next) -> Response {
    // A body can't be shared between threads, what stands before it can.
    let (mut parts, body) = request.into_parts();
    let identified = match principal::identify(&web, &parts).await {
        Ok(identified) => identified,
        Err(error) => return error.into_response(),
    };
    if let Err(error) = csrf::check(&web, &parts, &identified.principal) {
        return error.into_response();
    }
    let caller = match access.admit(identified.principal) {
        Ok(caller) => caller,
        Err(error) => return error.into_response(),
    };
    parts.extensions.insert(caller);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(renewed) = identified.renewed_cookie
        && !response.headers().contains_key(axum::http::header::SET_COOKIE)
    {
        response.headers_mut().insert(axum::http::header::SET_COOKIE, renewed);
    }
    response
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

    /// The organisation whose data this is about; none for ops, who see all.
    #[must_use]
    pub fn reach(&self) -> Option<&OrgId> {
        match &self.0 {
            Principal::User { user, .. } => user.org_id.as_ref(),
            Principal::Key(key) => key.org_id.as_ref(),
            Principal::Local { org } => org.as_ref(),
            Principal::Link(_) | Principal::Nobody => None,
        }
    }

    /// The organisation in which something is to be done.
    ///
    /// # Errors
    /// 403 for callers that belong to none.
    pub fn org(&self) -> Result<&OrgId> {
        self.reach().ok_or_else(|| match &self.0 {
            Principal::Local { .. } => {
                ApiError::conflict("no_organization", "There is no organisation yet; load one with `nightshift seed`.")
            }
            _ => ApiError::forbidden("organization", "This is done for an organisation, and you belong to none."),
        })
    }

    /// Whether a request's link asks: it may see that request and nothing else.
    #[must_use]
    pub fn is_link(&self) -> bool {
        matches!(self.0, Principal::Link(_))
    }

    /// The organisation that a request for an appointment must be of; none when its own link asks, or ops.
    ///
    /// # Errors
    /// 404 for the link of another request; 403 for callers that belong to no organisation.
    pub fn org_of(&self, web: &Web, request: &RequestId) -> Result<Option<&OrgId>> {
        match &self.0 {
            Principal::Link(tokens) if tokens.open(&web.session_secret, request) => Ok(None),
            Principal::Link(_) => Err(ApiError::not_found()),
            Principal::User { user, .. } if user.role == Role::Ops => Ok(None),
            _ => self.org().map(Some),
        }
    }

    /// The sitter, when one asks.
    #[must_use]
    pub fn sitter(&self) -> Option<&SitterId> {
        match &self.0 {
            Principal::User { user, .. } if user.role == Role::Sitter => user.sitter_id.as_ref(),
            _ => None,
        }
    }

    /// What numbers they may see.
    #[must_use]
    pub fn audience(&self) -> Audience {
        match &self.0 {
            Principal::User { user, .. } => match user.role {
                Role::Owner => Audience::Owner,
                Role::Sitter => Audience::Sitter,
                Role::Ops => Audience::Ops,
            },
            Principal::Key(key) if key.org_id.is_none() => Audience::Ops,
            Principal::Key(_) | Principal::Local { .. } => Audience::Owner,
            Principal::Link(_) | Principal::Nobody => Audience::Sitter,
        }
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
