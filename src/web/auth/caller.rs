//! The caller that a handler acts for: its organisation, its name in the audit log, and the rows it may read.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use nightshift_domain::actor::Actor;
use nightshift_domain::audience::Audience;
use nightshift_domain::ids::{OrgId, ServiceRequestId};
use nightshift_domain::people::users::Role;
use nightshift_domain::viewer::{Reach, Viewer};

use super::principal::Principal;
use crate::web::error::{ApiError, Result};
use crate::web::state::Web;

/// The caller that a handler acts for. The value exists only on routes whose access check has passed.
#[derive(Debug, Clone)]
pub struct Caller(pub(super) Principal);

impl Caller {
    /// Returns the caller as the audit log names it.
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

    /// Returns the viewer with which this caller reads. Holders of links see nothing until a request is named
    /// ([`viewer_of`](Self::viewer_of)).
    #[must_use]
    pub fn viewer(&self) -> Viewer {
        match &self.0 {
            Principal::User { user, .. } => match (user.role, &user.org_id, &user.sitter_id) {
                (Role::Ops, None, _) => Viewer::all(),
                (Role::Owner, Some(org), _) => Viewer::of_org(org.clone(), Audience::Owner),
                (Role::Sitter, Some(org), Some(sitter)) => Viewer::sitter(org.clone(), sitter.clone()),
                // Constraints of the users table rule out every other combination.
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

    /// Returns [`viewer`](Self::viewer) for reads that belong to one organisation.
    ///
    /// # Errors
    /// See [`org`](Self::org).
    pub fn org_viewer(&self) -> Result<Viewer> {
        self.org()?;
        Ok(self.viewer())
    }

    /// Returns [`viewer`](Self::viewer) for reads of a service request. The request's own link also grants them.
    ///
    /// # Errors
    /// Returns 404 for the link of another request. For callers without an organisation, except operators, see
    /// [`org`](Self::org).
    pub fn viewer_of(&self, web: &Web, request: &ServiceRequestId) -> Result<Viewer> {
        match &self.0 {
            Principal::Link(tokens) if tokens.open(&web.session_secret, request) => {
                Ok(Viewer::of_request(request.clone()))
            }
            Principal::Link(_) => Err(ApiError::not_found()),
            Principal::User { user, .. } if user.role == Role::Ops => Ok(self.viewer()),
            _ => self.org_viewer(),
        }
    }

    /// Returns the organisation in which the caller changes something.
    ///
    /// # Errors
    /// Returns 403 if the caller belongs to no organisation, and 409 `no_organization` if authentication is off and
    /// there is no organisation yet.
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
            _ => ApiError::forbidden("organization", "This needs an organisation, and you belong to none."),
        })
    }

    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.0
    }
}

impl FromRequestParts<Web> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self> {
        // A route without an access rule has no caller, so it fails closed.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::internal("a route without access"))
    }
}
