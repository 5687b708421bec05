//! The principal of a request: an API key, a session, link tokens or nobody. Where authentication is off, any sender on
//! this machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use nightshift_domain::Error as DomainError;
use nightshift_domain::access::api_keys::{self, Verified};
use nightshift_domain::access::sessions;
use nightshift_domain::ids::{OrgId, SessionId};
use nightshift_domain::people::organizations;
use nightshift_domain::people::users::User;
use secrecy::SecretString;

use super::link::Tokens;
use super::session_cookie;
use crate::web::error::{ApiError, Result};
use crate::web::rate_limit::network;
use crate::web::state::Web;

/// The sender of a request.
#[derive(Debug, Clone)]
pub enum Principal {
    /// A signed-in user.
    User {
        user: User,
        session: SessionId,
    },
    /// A program with an API key.
    Key(Verified),
    /// Any sender where authentication is off. It acts as owner and operator of the default organisation.
    Local {
        /// `None` until the first organisation exists.
        org: Option<OrgId>,
    },
    /// A holder of link tokens. They are verified when a request is named.
    Link(Tokens),
    Nobody,
}

/// A principal, and the cookie to send if its session was prolonged.
pub(super) struct Identified {
    pub(super) principal: Principal,
    pub(super) renewed_cookie: Option<HeaderValue>,
}

/// Identifies the sender and counts the request against its rate limit.
///
/// # Errors
/// Returns 401 if credentials are present but wrong, and 429 over the rate limit.
pub(super) async fn identify(web: &Web, request: &Parts) -> Result<Identified> {
    let now = web.clock.now();
    let address = client_address(request);
    let found = find(web, request, address).await?;
    let counted = match &found.principal {
        Principal::User { session, .. } => web.rates.callers.take(session.to_string(), now),
        Principal::Key(key) => web.rates.callers.take(key.id.to_string(), now),
        Principal::Local { .. } | Principal::Link(_) | Principal::Nobody => web.rates.addresses.take(address, now),
    };
    counted.map_err(ApiError::too_many)?;
    Ok(found)
}

async fn find(web: &Web, request: &Parts, address: IpAddr) -> Result<Identified> {
    let plain = |principal| Identified { principal, renewed_cookie: None };
    if !web.settings.auth.enabled {
        let org = match organizations::default_org(&web.db).await {
            Ok(org) => Some(org),
            Err(DomainError::NotFound) => None,
            Err(error) => return Err(error.into()),
        };
        return Ok(plain(Principal::Local { org }));
    }
    if let Some(value) = request.headers.get(header::AUTHORIZATION) {
        let key =
            presented_key(value).ok_or_else(|| bad_credentials("The Authorization header is not `Bearer jk_...`."))?;
        refuse_guessing(web, address)?;
        return match api_keys::verify(&web.db, &key, web.clock.now()).await? {
            Some(key) => Ok(plain(Principal::Key(key))),
            None => Err(guessed(web, address, "The API key is unknown or revoked.")),
        };
    }
    let nobody = || Tokens::of(&request.headers).map_or(Principal::Nobody, Principal::Link);
    let Some(text) = session_cookie::of(&request.headers) else { return Ok(plain(nobody())) };
    // A forged or expired cookie counts as none, because a browser sends it with every request.
    let Some(claim) = session_cookie::read(text, &web.session_secret, web.clock.now()) else {
        return Ok(plain(nobody()));
    };
    Ok(match sessions::resume(&web.db, &claim.session, web.clock.now()).await? {
        Some(live) => {
            let renewed_cookie = live
                .renewed_until
                .map(|until| {
                    session_cookie::issue(&web.public_url, &web.session_secret, &claim.session, &live.user.id, until)
                })
                .transpose()?;
            Identified { principal: Principal::User { user: live.user, session: claim.session }, renewed_cookie }
        }
        None => plain(nobody()),
    })
}

fn presented_key(value: &HeaderValue) -> Option<SecretString> {
    let text = value.to_str().ok()?;
    let (scheme, key) = text.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && key.starts_with("jk_")).then(|| key.trim().into())
}

fn bad_credentials(message: &str) -> ApiError {
    ApiError::unauthorized("bad_credentials", message)
}

/// Looking up an unknown key costs a statement, so the number of refused keys per minute and address is limited.
fn refuse_guessing(web: &Web, address: IpAddr) -> Result<()> {
    web.rates.refused.look(&address, web.clock.now()).map_err(ApiError::too_many)
}

fn guessed(web: &Web, address: IpAddr, message: &str) -> ApiError {
    // A guess over the limit is answered with 401. The next one gets 429.
    let _ = web.rates.refused.take(address, web.clock.now());
    bad_credentials(message)
}

/// Returns the address against which a request is counted. `X-Forwarded-For` is ignored, because any client can set it.
pub(super) fn client_address(request: &Parts) -> IpAddr {
    let connection = request.extensions.get::<ConnectInfo<SocketAddr>>();
    network(connection.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip()))
}
