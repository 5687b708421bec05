//! Protection against cross-site request forgery.
//!
//! A page of another site can make a browser send our cookie, but it can't hide the origin of the request.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use nightshift_providers::mac;

use super::caller::Caller;
use super::keyed;
use super::principal::Principal;
use crate::web::error::{ApiError, Result};
use crate::web::state::Web;

/// Refuses a change that another site requests with the cookie of a user or a link.
///
/// # Errors
/// Returns 403 `csrf`.
pub(super) fn check(web: &Web, request: &Parts, principal: &Principal) -> Result<()> {
    let by_cookie = matches!(principal, Principal::User { .. } | Principal::Link(_));
    // Without authentication there is no cookie to misuse, but a foreign page could still reach this machine.
    let open = matches!(principal, Principal::Local { .. });
    if (by_cookie || open) && from_elsewhere(&request.method, &request.headers, &web.public_url) {
        return Err(refused());
    }
    Ok(())
}

/// Returns the token that the forms of a page carry, so that no other page can submit them. The token belongs to the
/// session or, for holders of links, to the request that the path names, so that opening further links does not change
/// it.
pub async fn form_token(web: &Web, parts: &mut Parts) -> String {
    let caller = parts.extensions.get::<Caller>().cloned();
    match caller.as_ref().map_or(&Principal::Nobody, Caller::principal) {
        Principal::Link(_) => {
            let named = RawPathParams::from_request_parts(parts, &()).await;
            let id = named.iter().flatten().find(|(name, _)| *name == "id").map(|(_, id)| id);
            keyed::code(&web.session_secret, b"form:", id.unwrap_or_default())
        }
        principal => session_token(web, principal),
    }
}

/// Returns the token for the forms that appear on every page of a signed-in user.
pub fn session_token(web: &Web, principal: &Principal) -> String {
    let session = match principal {
        Principal::User { session, .. } => session.as_str(),
        _ => "",
    };
    keyed::code(&web.session_secret, b"form-of-session:", session)
}

/// Checks that `shown` is the form token of its page. The comparison takes constant time.
///
/// # Errors
/// Returns 403 `form_expired` if the token is wrong.
pub async fn check_form(web: &Web, parts: &mut Parts, shown: &str) -> Result<()> {
    let right = form_token(web, parts).await;
    if mac::same(shown.as_bytes(), right.as_bytes()) {
        return Ok(());
    }
    Err(ApiError::forbidden("form_expired", "This form has expired. Reload the page and try again."))
}

pub(super) fn refused() -> ApiError {
    ApiError::forbidden("csrf", "This request comes from another site.")
}

/// Returns whether the browser's headers say that an unsafe request comes from another site.
pub(super) fn from_elsewhere(method: &Method, headers: &HeaderMap, public_url: &str) -> bool {
    if method.is_safe() {
        return false;
    }
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text("origin") else { return false };
    let own_host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let same_host = origin.split_once("://").is_some_and(|(_, host)| Some(host) == own_host);
    !(same_host || origin == public_url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn elsewhere(method: Method, headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        map.insert(header::HOST, HeaderValue::from_static("ours.example:3000"));
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_static(value));
        }
        from_elsewhere(&method, &map, "https://public.example")
    }

    #[test]
    fn the_browser_tells() {
        let post = || Method::POST;
        assert!(!elsewhere(post(), &[]), "curl sends neither");
        assert!(!elsewhere(post(), &[("sec-fetch-site", "same-origin")]));
        assert!(!elsewhere(post(), &[("sec-fetch-site", "none")]));
        assert!(elsewhere(post(), &[("sec-fetch-site", "cross-site")]));
        assert!(elsewhere(post(), &[("sec-fetch-site", "same-site")]));
        assert!(!elsewhere(post(), &[("origin", "http://ours.example:3000")]));
        assert!(!elsewhere(post(), &[("origin", "https://public.example")]));
        assert!(elsewhere(post(), &[("origin", "https://evil.example")]));
        assert!(elsewhere(post(), &[("origin", "null")]));
        assert!(!elsewhere(Method::GET, &[("origin", "https://evil.example")]), "reading changes nothing");
    }
}
