//! A page of another site can make a browser send our cookie, but not hide where it comes from.

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};

use secrecy::SecretString;
use subtle::ConstantTimeEq;

use super::Principal;
use super::link::mac;
use crate::web::error::{ApiError, Result};
use crate::web::state::Web;

/// Refuses a change that another site asks for in the name of somebody signed in.
///
/// # Errors
/// 403 `csrf`.
pub(super) fn check(web: &Web, request: &Parts, principal: &Principal) -> Result<()> {
    let by_cookie = matches!(principal, Principal::User { .. } | Principal::Link(_));
    // Where authentication is off there is no cookie to misuse, but a page could still reach this machine.
    let open = matches!(principal, Principal::Local { .. });
    if (by_cookie || open) && from_elsewhere(&request.method, &request.headers, &web.public_url) {
        return Err(refused());
    }
    Ok(())
}

/// What the forms of somebody's pages carry, so that no other page can send them.
pub fn form_token(secret: &SecretString, principal: &Principal) -> String {
    match principal {
        Principal::User { session, .. } => mac(secret, b"form-of-session:", session.as_str()),
        _ => mac(secret, b"form-of-session:", ""),
    }
}

/// Whether `shown` is what the forms of somebody's pages carry.
pub fn is_form_of(secret: &SecretString, principal: &Principal, shown: &str) -> bool {
    shown.as_bytes().ct_eq(form_token(secret, principal).as_bytes()).into()
}

/// 403.
pub(super) fn refused() -> ApiError {
    ApiError::forbidden("csrf", "This request comes from another site.")
}

/// Whether a browser says that a request which may change something comes from another site.
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
