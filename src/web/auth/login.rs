//! Signing in and out.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use nightshift_domain::access::{passwords, sessions, throttle};
use nightshift_domain::actor::Actor;
use nightshift_domain::audit::{self, Entry, Event};
use nightshift_domain::people::users::{self, User};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::guesser::Visitor;
use super::principal::client_address;
use super::{Caller, Principal, cookie, csrf};
use crate::web::body;
use crate::web::error::{ApiError, Result};
use crate::web::state::Web;

/// Largest body of a sign-in, in bytes: anybody may send one, and an address and a password are short.
pub const BODY_BYTES_MAX: usize = 16 * 1024;

/// What somebody types.
#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: SecretString,
}

/// Somebody who has just signed in.
pub struct SignedIn {
    /// Who.
    pub user: User,
    /// The session's, and the one that makes this device known.
    cookies: [HeaderValue; 2],
}

impl SignedIn {
    /// Gives the browser its cookies.
    #[must_use]
    pub fn answer(self, with: impl IntoResponse) -> Response {
        let mut response = with.into_response();
        for cookie in self.cookies {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

/// `POST /api/auth/login`: who it is, with cookies.
pub async fn login(State(web): State<Web>, request: Request) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let Credentials { email, password } = body::json_or_form(&parts.headers, body, BODY_BYTES_MAX).await?;
    let signed_in = sign_in(&web, &parts, &email, &password).await?;
    let shown = Json(json!({"user": &signed_in.user}));
    Ok(signed_in.answer(shown))
}

/// Starts a session for whoever knows the password.
///
/// The guess is counted before the password is looked at, so that guesses at the same time can't pass the limit
/// together.
///
/// # Errors
/// 401 `bad_credentials`; 403 `csrf`; 429 after too many failures, or while too many sign in.
pub async fn sign_in(web: &Web, parts: &Parts, email: &str, password: &SecretString) -> Result<SignedIn> {
    if csrf::from_elsewhere(&parts.method, &parts.headers, &web.public_url) {
        return Err(csrf::refused());
    }
    let (now, address) = (web.clock.now(), client_address(parts));
    let visitor = Visitor::new(&web.session_secret, &parts.headers, address, email, now);
    let guesser = visitor.guesser();
    // Before any statement, so that a flood of sign-ins can't occupy the database. A guess over the limit costs a read.
    let turn = passwords::line_up()?;
    if let Some(wait) = throttle::wait(&web.db, &guesser, now).await? {
        return Err(ApiError::too_many(wait));
    }
    let counted = throttle::count(&web.db, &guesser, now).await?.map_err(ApiError::too_many)?;
    let user = match users::with_password(&web.db, turn, email, password).await {
        Ok(Some(user)) => user,
        Ok(None) => {
            web.failures.record(&web.db, &visitor, counted.guesses, now).await;
            return Err(ApiError::unauthorized("bad_credentials", "The address or the password is wrong."));
        }
        Err(error) => {
            let mut tx = web.db.begin().await?;
            throttle::take_back(&mut tx, &counted).await?;
            tx.commit().await?;
            return Err(error.into());
        }
    };
    let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let mut tx = web.db.begin().await?;
    throttle::take_back(&mut tx, &counted).await?;
    let session = sessions::start(&mut tx, &user.id, &address.to_string(), user_agent, now).await?;
    let mut entry = Entry::new(Event::AuthLogin, "success", &Actor::User { id: user.id.clone() });
    if let Some(org) = &user.org_id {
        entry = entry.org(org);
    }
    audit::record(&mut tx, entry, now).await?;
    tx.commit().await?;
    let cookies = [cookie::issue(web, &session.id, &user.id, session.expires_at)?, visitor.remember(web, now)?];
    Ok(SignedIn { user, cookies })
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

fn with_cookie(body: Value, cookie: HeaderValue) -> Response {
    let mut response = Json(body).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}
