//! Signing in and out.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use nightshift_domain::access::api_keys::Scope;
use nightshift_domain::access::{passwords, sessions, throttle};
use nightshift_domain::actor::Actor;
use nightshift_domain::audit::{self, Entry, Event};
use nightshift_domain::ids::{ApiKeyId, OrgId, SitterId, UserId};
use nightshift_domain::people::users::{self, Role, User};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::guesser::Visitor;
use super::principal::client_address;
use super::{Caller, Principal, cookie, csrf};
use crate::web::answer::WithCookies;
use crate::web::body::JsonOrForm;
use crate::web::contention;
use crate::web::error::{ApiError, Result};
use crate::web::state::Web;

/// Largest body of a sign-in, in bytes: anybody may send one, and an address and a password are short.
pub const BODY_BYTES_MAX: usize = 16 * 1024;

/// What somebody types.
#[derive(Deserialize, ToSchema)]
pub struct Credentials {
    email: String,
    #[schema(value_type = String)]
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
    pub fn answer<T>(self, with: impl FnOnce(User) -> T) -> WithCookies<T, 2> {
        WithCookies { answer: with(self.user), cookies: self.cookies }
    }
}

/// The user who signed in.
#[derive(Serialize, ToSchema)]
#[schema(as = SignedIn)]
pub struct SignedInUser {
    user: User,
}

/// `POST /api/auth/login`: who it is, with cookies.
pub async fn login(
    State(web): State<Web>,
    parts: Parts,
    JsonOrForm(Credentials { email, password }): JsonOrForm<Credentials>,
) -> Result<WithCookies<Json<SignedInUser>, 2>> {
    let signed_in = sign_in(&web, &parts, &email, &password).await?;
    Ok(signed_in.answer(|user| Json(SignedInUser { user })))
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
    let turn = passwords::request_slot()?;
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
            take_back(web, &counted).await?;
            return Err(error.into());
        }
    };
    let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    // The guess is committed already, and the password need not be looked at twice.
    let started = contention::repeat(|| async {
        let mut tx = web.db.begin().await?;
        throttle::take_back(&mut tx, &counted).await?;
        let session = sessions::start(&mut tx, &user.id, &address.to_string(), user_agent, now).await?;
        let mut entry = Entry::new(Event::AuthLogin, "success", &Actor::User { id: user.id.clone() });
        if let Some(org) = &user.org_id {
            entry = entry.org(org);
        }
        audit::record(&mut tx, entry, now).await?;
        tx.commit().await?;
        Ok(session)
    });
    let session = match started.await {
        Ok(session) => session,
        Err(error) => {
            // The error that is told is the first one.
            if let Err(second) = take_back(web, &counted).await {
                tracing::warn!(error = second.detail(), "a guess that was right stays counted");
            }
            return Err(error);
        }
    };
    let cookies = [
        cookie::issue(&web.public_url, &web.session_secret, &session.id, &user.id, session.expires_at)?,
        visitor.remember(&web.public_url, now)?,
    ];
    Ok(SignedIn { user, cookies })
}

/// Takes back a guess that was right or could not be tried.
async fn take_back(web: &Web, counted: &throttle::Counted) -> Result<()> {
    contention::repeat(|| async {
        let mut tx = web.db.begin().await?;
        throttle::take_back(&mut tx, counted).await?;
        Ok(tx.commit().await?)
    })
    .await
}

/// The session is over.
#[derive(Serialize, ToSchema)]
pub struct SignedOut {
    /// Always true.
    success: bool,
}

/// `POST /api/auth/logout`: ends the session.
pub async fn logout(State(web): State<Web>, caller: Caller) -> Result<WithCookies<Json<SignedOut>, 1>> {
    let cookies = [sign_out(&web, &caller).await?];
    Ok(WithCookies { answer: Json(SignedOut { success: true }), cookies })
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
    cookie::end(&web.public_url)
}

/// Who asks.
#[derive(Serialize, ToSchema)]
#[schema(as = WhoAsks)]
#[serde(untagged)]
pub enum Asker {
    /// A program.
    Program(Program),
    /// A person, or nobody.
    Person(Person),
}

/// A program with a key.
#[derive(Serialize, ToSchema)]
#[schema(as = ProgramAsks)]
#[serde(rename_all = "camelCase")]
pub struct Program {
    api_key: Key,
}

/// Somebody signed in; anybody, where authentication is off; null for nobody.
#[derive(Serialize, ToSchema)]
#[schema(as = PersonAsks)]
pub struct Person {
    user: Option<PersonView>,
}

/// Somebody who can use the API.
#[derive(Serialize, ToSchema)]
#[schema(as = Person)]
#[serde(rename_all = "camelCase")]
pub struct PersonView {
    /// Null where authentication is off.
    id: Option<UserId>,
    name: String,
    role: Role,
    /// Where; null for ops.
    org_id: Option<OrgId>,
    /// Whom they are in the sitters' table.
    sitter_id: Option<SitterId>,
}

/// A key, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyInUse)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    id: ApiKeyId,
    /// None for the platform's.
    org_id: Option<OrgId>,
    scopes: BTreeSet<Scope>,
}

/// `GET /api/auth/me`: who asks.
pub async fn me(caller: Caller) -> Json<Asker> {
    let person = |user| Asker::Person(Person { user });
    Json(match caller.principal().clone() {
        Principal::User { user: User { id, name, role, org_id, sitter_id }, .. } => {
            person(Some(PersonView { id: Some(id), name, role, org_id, sitter_id }))
        }
        Principal::Key(key) => {
            let scopes = key.scopes.into_iter().collect();
            Asker::Program(Program { api_key: Key { id: key.id, org_id: key.org_id, scopes } })
        }
        Principal::Local { org: org_id } => {
            let name = "Unauthenticated".to_owned();
            person(Some(PersonView { id: None, name, role: Role::Owner, org_id, sitter_id: None }))
        }
        Principal::Link(_) | Principal::Nobody => person(None),
    })
}
