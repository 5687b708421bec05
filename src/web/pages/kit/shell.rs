//! The frame of every page: organisation, navigation and sign-out. Also redirects visitors who are not signed in.

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

/// The frame of a page. A handler takes it as an argument, and `shell.html` renders it.
#[derive(Debug, Clone)]
pub(in crate::web::pages) struct Shell {
    /// The name of the organisation, `All organisations`, or `Nightshift` if the visitor is not known.
    pub(in crate::web::pages) place: String,
    /// The name of the user. `None` for a visitor who is not known.
    pub(in crate::web::pages) who: Option<String>,
    /// Whether the page shows a sign-out.
    pub(in crate::web::pages) signed_in: bool,
    /// The token of the page's forms.
    pub(in crate::web::pages) csrf: String,
    /// Whether the page covers all organisations, so that each row names its organisation.
    pub(in crate::web::pages) names_organizations: bool,
    /// Whether to warn that webhooks are accepted without a signature in production. Only shown to owners and
    /// operators.
    pub(in crate::web::pages) unverified: bool,
    /// The time zone in which times are shown.
    pub(in crate::web::pages) zone: Tz,
    pub(in crate::web::pages) entries: &'static [Entry],
    path: String,
    now: Timestamp,
}

impl Shell {
    /// Creates the frame for a visitor who is not known.
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

    /// Creates the frame for a principal, without reading the organisation from the database.
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

    /// Creates the frame of an error page. It names no organisation if the database is the cause of the error.
    pub(super) async fn of_error_page(web: &Web, path: &str, known: Option<&Principal>, is_away: bool) -> Self {
        let Some(principal) = known else { return Self::bare(web, path) };
        let shell = Self { csrf: csrf::session_token(web, principal), ..Self::known(web, principal, path) };
        if is_away {
            return shell;
        }
        shell.clone().placed(web, principal).await.unwrap_or(shell)
    }

    /// Creates a frame in which every text is `text`.
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

    /// Sets the name and the time zone of the organisation.
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

    /// Returns an instant as the reader of this page sees it.
    pub(in crate::web::pages) fn time(&self, at: &Timestamp) -> Moment {
        Moment::new(*at, self.now, self.zone)
    }

    /// Returns the time at which the page was rendered.
    pub(in crate::web::pages) fn made(&self) -> Moment {
        self.time(&self.now)
    }

    /// Returns the `aria-current` value of a navigation entry. `None` if the page is not below the entry.
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

// The route's row documents everything that this extractor reads.
impl Takes for Shell {
    fn describe(_: &mut Contract) {}
}

/// Redirects visitors who are not signed in to the sign-in page and back. Tells other roles for whom the page is.
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
