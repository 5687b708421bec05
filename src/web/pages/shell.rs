//! What all pages behind the sign-in share: the bar at the top, and what happens to those who may not see them.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use chrono_tz::Tz;
use nightshift_db::Timestamp;
use nightshift_domain::audience::Audience;
use nightshift_domain::people::organizations;

use super::page;
use super::problem::Problem;
use crate::config::Environment;
use crate::web::auth::{Caller, Principal, csrf};
use crate::web::error::Result;
use crate::web::state::Web;

/// The bar at the top.
pub(super) struct Shell {
    /// The organisation, or who runs the platform.
    pub(super) place: String,
    /// Who is signed in.
    pub(super) who: String,
    /// Whether there is somebody to sign out.
    pub(super) signed_in: bool,
    /// What forms carry.
    pub(super) csrf: String,
    /// Whether this is about all organisations, so that each thing says of which it is.
    pub(super) names_organizations: bool,
    /// Whether webhooks are taken from anybody, in production.
    pub(super) unverified: bool,
    /// In whose time times are shown.
    pub(super) zone: Tz,
}

impl Shell {
    pub(super) async fn of(web: &Web, caller: &Caller) -> Result<Self> {
        let viewer = caller.viewer();
        let (place, zone) = match viewer.org_id() {
            Some(org) => organizations::name_and_zone(&web.db, org).await?,
            None => ("All organisations".to_owned(), Tz::UTC),
        };
        let (who, signed_in) = match caller.principal() {
            Principal::User { user, .. } => (user.name.clone(), true),
            _ => ("Without sign-in".to_owned(), false),
        };
        let unverified = web.settings.environment == Environment::Production && !web.settings.webhooks.validation;
        let csrf = csrf::form_token(&web.session_secret, caller.principal());
        let names_organizations = viewer.audience() == Audience::Ops;
        Ok(Self { place, who, signed_in, csrf, names_organizations, unverified, zone })
    }

    /// As the clock on the wall shows it.
    pub(super) fn local(&self, at: &Timestamp) -> String {
        local(*at, self.zone)
    }
}

/// As the clock on the wall shows it in a zone.
pub(super) fn local(at: Timestamp, zone: Tz) -> String {
    at.to_datetime().with_timezone(&zone).format("%a %-d %b %Y, %H:%M %Z").to_string()
}

/// Sends whoever is not signed in to the sign-in and back, and tells others that the page is not for them.
pub(in crate::web) async fn guard(request: Request, next: Next) -> Response {
    let wanted = request.uri().path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
    let reads = request.method().is_safe();
    let response = next.run(request).await;
    match response.status() {
        StatusCode::UNAUTHORIZED => {
            let next = if reads { wanted } else { "/".to_owned() };
            let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
            Redirect::to(&format!("/login?next={next}")).into_response()
        }
        // A form of another site is refused as any other request is.
        StatusCode::FORBIDDEN if reads => {
            let text = "This page is for owners and operators.";
            page(StatusCode::FORBIDDEN, &Problem::new("Not for you", text))
        }
        _ => response,
    }
}

/// An amount as people write it.
pub(super) fn money(minor: &i64, currency: &str) -> String {
    /// Currencies without a minor unit (ISO 4217).
    const WHOLE: [&str; 6] = ["CLP", "ISK", "JPY", "KRW", "UGX", "VND"];
    let (sign, size) = (if *minor < 0 { "-" } else { "" }, minor.unsigned_abs());
    if WHOLE.contains(&currency) {
        return format!("{sign}{size} {currency}");
    }
    format!("{sign}{}.{:02} {currency}", size / 100, size % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_people_write_them() {
        assert_eq!(money(&-5, "USD"), "-0.05 USD");
        assert_eq!(money(&123_456, "EUR"), "1234.56 EUR");
        assert_eq!(money(&500, "JPY"), "500 JPY");
    }
}
