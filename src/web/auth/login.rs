//! Signing in and out.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use nightshift_db::Timestamp;
use nightshift_domain::access::{sessions, throttle};
use nightshift_domain::actor::Actor;
use nightshift_domain::audit::{self, Entry};
use nightshift_domain::people::users::{self, User};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::principal::client_address;
use super::{Caller, Principal, cookie, csrf};
use crate::web::body;
use crate::web::error::{ApiError, Result};
use crate::web::state::Web;

/// What somebody types.
#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: SecretString,
}

/// `POST /api/auth/login`: who it is, with a cookie.
pub async fn login(State(web): State<Web>, request: Request) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let Credentials { email, password } =
        body::json_or_form(&parts.headers, body, web.settings.http.body_bytes_max).await?;
    let (user, cookie) = sign_in(&web, &parts, &email, &password).await?;
    Ok(with_cookie(json!({"user": user}), cookie))
}

/// Starts a session for whoever knows the password; the cookie that carries it.
///
/// # Errors
/// 401 `bad_credentials`; 403 `csrf`; 429 after too many failures.
pub async fn sign_in(web: &Web, parts: &Parts, email: &str, password: &SecretString) -> Result<(User, HeaderValue)> {
    if csrf::from_elsewhere(&parts.method, &parts.headers, &web.public_url) {
        return Err(csrf::refused());
    }
    let now = web.clock.now();
    let address = client_address(parts).to_string();
    let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    if let Some(wait) = throttle::wait(&web.db, email, &address, now).await? {
        return Err(ApiError::too_many(wait));
    }
    let Some(user) = users::with_password(&web.db, email, password).await? else {
        throttle::failed(&web.db, email, &address, now).await?;
        note(web, "auth.failed", "failed", &Actor::system("sign-in"), None, now).await?;
        return Err(ApiError::unauthorized("bad_credentials", "The address or the password is wrong."));
    };
    let mut tx = web.db.begin().await?;
    let session = sessions::start(&mut tx, &user.id, &address, user_agent, now).await?;
    tx.commit().await?;
    let by = Actor::User { id: user.id.clone() };
    note(web, "auth.login", "success", &by, Some(&user), now).await?;
    let cookie = cookie::issue(web, &session.id, &user.id, session.expires_at)?;
    Ok((user, cookie))
}

/// `POST /api/auth/logout`: ends the session.
pub async fn logout(State(web): State<Web>, caller: Caller) -> Result<Response> {
    Ok(with_cookie(json!({"success": true}), sign_out(&web, &caller).await?))
}

/// Ends the caller's session; the cookie that forgets it.
///
/// # Errors
/// A database error.
pub async fn sign_out(web: &Web, caller: &Caller) -> Result<HeaderValue> {
    if let Principal::User { session, .. } = caller.principal() {
        let mut tx = web.db.begin().await?;
        sessions::revoke(&mut tx, session, web.clock.now()).await?;
        tx.commit().await?;
    }
    cookie::end(web)
}

/// `GET /api/auth/me`: who asks.
pub async fn me(caller: Caller) -> Json<Value> {
    Json(match caller.principal() {
        Principal::User { user, .. } => json!({"user": user}),
        Principal::Key(key) => json!({"apiKey": {"id": key.id, "orgId": key.org_id, "scopes": key.scopes}}),
        Principal::Local { org } => {
            json!({"user": {"id": null, "name": "Unauthenticated", "role": "owner", "orgId": org, "sitterId": null}})
        }
        Principal::Link(_) | Principal::Nobody => json!({"user": null}),
    })
}

async fn note(
    web: &Web,
    event: &'static str,
    status: &'static str,
    by: &Actor,
    user: Option<&User>,
    now: Timestamp,
) -> Result<()> {
    let mut entry = Entry::new(event, status, by);
    if let Some(org) = user.and_then(|user| user.org_id.as_ref()) {
        entry = entry.org(org);
    }
    let mut tx = web.db.begin().await?;
    audit::record(&mut tx, entry, now).await?;
    Ok(tx.commit().await?)
}

fn with_cookie(body: Value, cookie: HeaderValue) -> Response {
    let mut response = Json(body).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}
