//! What surrounds every page: the bar with the organisation, the navigation of the role and the sign-out, and what
//! happens to those who may not see a page.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use chrono_tz::Tz;
use nightshift_db::Timestamp;
use nightshift_domain::ids::OrgId;
use nightshift_domain::people::organizations;
use nightshift_domain::people::users::Role;

use super::nav::{self, Entry};
use super::render::keep_cookies;
use super::time::Moment;
use crate::config::Environment;
use crate::web::auth::{Access, Caller, Known, Principal, csrf};
use crate::web::error::{ApiError, Cause, Result};
use crate::web::routes::{Contract, Takes};
use crate::web::state::Web;

/// The frame of a page. A handler takes it as an argument; `shell.html` shows it.
#[derive(Debug, Clone)]
pub(in crate::web::pages) struct Shell {
    /// The organisation, or who runs the platform.
    pub(in crate::web::pages) place: String,
    /// Who is signed in.
    pub(in crate::web::pages) who: Option<String>,
    /// Whether there is somebody to sign out.
    pub(in crate::web::pages) signed_in: bool,
    /// What the forms of the page carry.
    pub(in crate::web::pages) csrf: String,
    /// Whether the page is about all organisations, so that each row says of which it is.
    pub(in crate::web::pages) names_organizations: bool,
    /// Whether webhooks are taken from anybody, in production, and the reader is somebody who can mend it.
    pub(in crate::web::pages) unverified: bool,
    /// In whose time times are shown.
    pub(in crate::web::pages) zone: Tz,
    /// The navigation.
    pub(in crate::web::pages) entries: &'static [Entry],
    /// The path of the page.
    path: String,
    now: Timestamp,
}

impl Shell {
    /// The frame for somebody who is not known.
    fn bare(web: &Web, path: &str) -> Self {
        Self {
            place: "Nightshift".to_owned(),
            who: None,
            signed_in: false,
            csrf: String::new(),
            names_organizations: false,
            unverified: false,
            zone: Tz::UTC,
            entries: &[],
            path: path.to_owned(),
            now: web.clock.now(),
        }
    }

    /// The frame for somebody who is known, before the database is asked for their organisation.
    fn known(web: &Web, principal: &Principal, path: &str) -> Self {
        let bare = Self::bare(web, path);
        let (who, role, signed_in) = match principal {
            Principal::User { user, .. } => (user.name.clone(), user.role, true),
            Principal::Local { .. } => ("Without sign-in".to_owned(), Role::Owner, false),
            Principal::Key(_) | Principal::Link(_) | Principal::Nobody => return bare,
        };
        let production = web.settings.environment == Environment::Production;
        Self {
            who: Some(who),
            signed_in,
            names_organizations: role == Role::Ops,
            unverified: production && !web.settings.webhooks.validation && role != Role::Sitter,
            entries: nav::entries(role),
            ..bare
        }
    }

    /// The frame of an error page. The database may be what failed: then the organisation is not named.
    pub(super) async fn of_error_page(web: &Web, path: &str, known: Option<&Principal>, is_away: bool) -> Self {
        let Some(principal) = known else { return Self::bare(web, path) };
        let shell = Self { csrf: csrf::session_token(web, principal), ..Self::known(web, principal, path) };
        if is_away {
            return shell;
        }
        shell.clone().placed(web, principal).await.unwrap_or(shell)
    }

    /// A frame of texts that are all `text`.
    #[cfg(test)]
    pub(super) fn sample(text: &str) -> Self {
        Self {
            place: text.to_owned(),
            who: Some(text.to_owned()),
            signed_in: true,
            csrf: text.to_owned(),
            names_organizations: true,
            unverified: true,
            zone: Tz::UTC,
            entries: nav::entries(Role::Owner),
            path: text.to_owned(),
            now: Timestamp::from_unix_ms(0),
        }
    }

    /// Names the organisation and takes over its zone.
    pub(in crate::web::pages) async fn in_org(self, web: &Web, org: &OrgId) -> Result<Self> {
        let (place, zone) = organizations::name_and_zone(&web.db, org).await?;
        Ok(Self { place, zone, ..self })
    }

    async fn placed(self, web: &Web, principal: &Principal) -> Result<Self> {
        match principal {
            Principal::User { user, .. } => match &user.org_id {
                Some(org) => self.in_org(web, org).await,
                None => Ok(Self { place: "All organisations".to_owned(), ..self }),
            },
            Principal::Local { org: Some(org) } => self.in_org(web, org).await,
            Principal::Local { org: None } => Ok(Self { place: "All organisations".to_owned(), ..self }),
            Principal::Key(_) | Principal::Link(_) | Principal::Nobody => Ok(self),
        }
    }

    /// An instant as the reader of this page sees it.
    pub(in crate::web::pages) fn time(&self, at: &Timestamp) -> Moment {
        Moment::new(*at, self.now, self.zone)
    }

    /// When the page was made.
    pub(in crate::web::pages) fn made(&self) -> Moment {
        self.time(&self.now)
    }

    /// The value of `aria-current` for an entry of the navigation: none elsewhere.
    pub(in crate::web::pages) fn current(&self, entry: &Entry) -> Option<&'static str> {
        let rest = self.path.strip_prefix(entry.path)?;
        match rest {
            "" => Some("page"),
            _ if rest.starts_with('/') => Some("true"),
            _ => None,
        }
    }
}

impl FromRequestParts<Web> for Shell {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self> {
        let caller = Caller::from_request_parts(parts, web).await?;
        let shell = Self::known(web, caller.principal(), parts.uri.path());
        let csrf = csrf::form_token(web, parts).await;
        Self { csrf, ..shell }.placed(web, caller.principal()).await
    }
}

// Everything that it reads is told by the row.
impl Takes for Shell {
    fn describe(_: &mut Contract) {}
}

/// Sends whoever is not signed in to the sign-in and back, and tells others for whom the page is.
pub(in crate::web) async fn guard(State(access): State<Access>, request: Request, next: Next) -> Response {
    let wanted = request.uri().path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
    let reads = request.method().is_safe();
    let mut response = next.run(request).await;
    match Cause::of(&response).map(|error| (error.status, error.code)) {
        Some((StatusCode::UNAUTHORIZED, _)) => {
            let next = if reads { wanted } else { "/".to_owned() };
            let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
            Redirect::to(&format!("/login?next={next}")).into_response()
        }
        Some((StatusCode::FORBIDDEN, "role")) => {
            let text = format!("This page is for {}.", access.people());
            let mut refused = ApiError::forbidden("role", text).into_response();
            keep_cookies(&response, &mut refused);
            if let Some(known) = response.extensions_mut().remove::<Known>() {
                refused.extensions_mut().insert(known);
            }
            refused
        }
        _ => response,
    }
}
