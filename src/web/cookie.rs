//! Cookies: the one place that writes a `Set-Cookie` header and reads a `Cookie` header.
//!
//! Every cookie of this program has the same attributes. Scripts can't read it (`HttpOnly`), requests from other sites
//! come without it unless they open a page (`SameSite=Lax`), and where the program is reached by HTTPS the browser sends
//! it over HTTPS only (`Secure`).

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use cookie::{Cookie, SameSite, time};

use super::error::{ApiError, Result};

/// The `Set-Cookie` value that makes the browser keep a cookie for `max_age`. Zero makes it forget the cookie.
///
/// # Errors
/// 500 when the name or the value holds a character that a header can't carry.
pub fn set(public_url: &str, name: &str, value: &str, max_age: Duration) -> Result<HeaderValue> {
    let max_age = time::Duration::try_from(max_age).map_err(ApiError::internal)?;
    let cookie = Cookie::build((name, value)).path("/").http_only(true).same_site(SameSite::Lax).max_age(max_age);
    let cookie = if public_url.starts_with("https://") { cookie.secure(true) } else { cookie };
    HeaderValue::from_str(&cookie.to_string()).map_err(ApiError::internal)
}

/// Name and value of each cookie that a request carries, in the order of its headers. What can't be parsed is skipped.
pub fn all(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let values = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(Cookie::split_parse).filter_map(|cookie| {
        let cookie = cookie.ok()?;
        Some((cookie.name_raw()?, cookie.value_raw()?))
    })
}

/// The value of the first cookie of this name that is not empty.
pub fn named<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    all(headers).find_map(|(name, value)| (name == wanted && !value.is_empty()).then_some(value))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_for_https_alone_where_the_address_is_https() {
        let month = Duration::from_secs(30 * 24 * 3600);
        let plain = set("http://127.0.0.1:3000", "rt_1", "abc", month).unwrap();
        assert_eq!(plain, "rt_1=abc; HttpOnly; SameSite=Lax; Path=/; Max-Age=2592000");
        let secure = set("https://a.example", "session", "a.b-_", month).unwrap();
        assert_eq!(secure, "session=a.b-_; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=2592000");
        let forgotten = set("http://a.example", "session", "", Duration::ZERO).unwrap();
        assert_eq!(forgotten, "session=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0");
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        let others = "a=1; xsession=no; nothing; =x; session=; session=yes=; session=late";
        headers.append(header::COOKIE, HeaderValue::from_bytes(b"session=\xff").unwrap());
        headers.append(header::COOKIE, HeaderValue::from_static(others));
        headers.append(header::COOKIE, HeaderValue::from_static("b=2"));
        assert_eq!(named(&headers, "session"), Some("yes="));
        assert_eq!(named(&headers, "b"), Some("2"));
        assert_eq!(named(&headers, "c"), None);
    }
}
