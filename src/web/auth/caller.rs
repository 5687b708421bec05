//! Who a handler acts for: for which organisation, as whom, and what they may read.

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

/// Who a handler acts for. It exists only where the route's access was granted.
#[derive(Debug, Clone)]
pub struct Caller(pub(super) Principal);

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
