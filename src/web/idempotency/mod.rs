//! `Idempotency-Key`: a client that lost an answer asks again and gets the first one.
//!
//! The layer takes the key before the handler runs; the handler keeps its answer in the transaction of its change
//! ([`Answering::commit`]), so that the change and the answer stand together or not at all, also under `kill -9`. A
//! request that ends without that changed nothing and gives its key back, however it ended: with an error, with a
//! panic, because its time was up or because its client hung up. When the database is away just then, the key is taken
//! over by the next request of this process, which knows that nobody runs behind it ([`Running`]).

mod running;

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use nightshift_db::Tx;
use nightshift_domain::idempotency::{self, KeyState, RequestKey};
use serde::Serialize;

pub use running::Running;

use super::answer::Answer;
use super::auth::{Caller, Principal};
use super::error::{ApiError, Result};
use super::limits;
use super::routes::{Contract, Takes};
use super::state::Web;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key, in bytes.
const LENGTH_MAX: usize = 128;

/// Before a request whose key is held is worth sending again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A key that this request holds; dropped, it is given back.
struct HeldKey {
    web: Web,
    key: Option<RequestKey>,
}

impl HeldKey {
    /// Gives the key back now.
    async fn give_back(mut self) {
        if let Some(key) = self.key.take() {
            self.web.running.end(&key.holder);
            give_back(&self.web, &key).await;
        }
    }

    /// Renews the key for as long as it is asked to.
    async fn keep(&self) -> Infallible {
        loop {
            self.web.clock.sleep(idempotency::RENEW_EVERY).await;
            let Some(key) = &self.key else { return std::future::pending().await };
            if let Err(error) = idempotency::renew(&self.web.db, key, self.web.clock.now()).await {
                tracing::debug!(%error, "an idempotency key could not be renewed");
            }
        }
    }

    /// Leaves the key as it is: it belongs to another request, or keeps the answer to this one.
    fn leave(mut self) {
        if let Some(key) = self.key.take() {
            self.web.running.end(&key.holder);
        }
    }
}

impl Drop for HeldKey {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        self.web.running.end(&key.holder);
        let web = self.web.clone();
        // Without a runtime the program ends, and the key is lost as after any end.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { give_back(&web, &key).await });
        }
    }
}

async fn give_back(web: &Web, key: &RequestKey) {
    if let Err(error) = idempotency::abandon(&web.db, key).await {
        // The next request with it finds out that nobody holds it.
        tracing::debug!(%error, "an idempotency key could not be given back");
    }
}

/// Answers a request that was answered before, refuses one that can't be told from another, and lets others through.
/// It stands around handlers that keep their answers ([`Answering`]) and around nothing else.
pub async fn layer(State(web): State<Web>, request: Request, next: Next) -> Response {
    match hold(&web, request).await {
        Ok(Admission::Run(request, held)) => {
            let response = match &held {
                // Renewed for a request that runs, and not a moment longer.
                Some(held) => tokio::select! {
                    biased;
                    response = next.run(request) => response,
                    never = held.keep() => match never {},
                },
                None => next.run(request).await,
            };
            match held {
                Some(held) if response.status().is_success() => held.leave(),
                Some(held) => held.give_back().await,
                None => {}
            }
            response
        }
        Ok(Admission::Answer(response)) => response,
        Err(error) => error.into_response(),
    }
}

/// What becomes of a POST.
#[expect(clippy::large_enum_variant, reason = "made and taken apart once per request, never kept")]
enum Admission {
    Run(Request, Option<HeldKey>),
    Answer(Response),
}

async fn hold(web: &Web, request: Request) -> Result<Admission> {
    let Some(name) = key_of(request.headers())? else { return Ok(Admission::Run(request, None)) };
    let (mut parts, body) = request.into_parts();
    let body = limits::read_body(&parts.headers, body, web.settings.http.body_bytes_max).await?;
    let now = web.clock.now();
    let key = RequestKey {
        principal: parts.extensions.get::<Caller>().map_or_else(String::new, |caller| principal_of(caller.principal())),
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        key: name,
        holder: web.running.begin(nightshift_db::new_id(now)),
    };
    // HeldKey before it is asked for: the database may have given it away and its answer got lost.
    let held = HeldKey { web: web.clone(), key: Some(key.clone()) };
    let begun = match begin(web, &key, &body).await {
        Ok(begun) => begun,
        Err(error) => {
            held.give_back().await;
            return Err(error);
        }
    };
    let answer = match begun {
        KeyState::Fresh => {
            parts.extensions.insert(key);
            return Ok(Admission::Run(Request::from_parts(parts, Body::from(body)), Some(held)));
        }
        KeyState::Replay { status, body } => Ok(Admission::Answer(replay(status, body))),
        KeyState::Mismatch => Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_mismatch",
            "This Idempotency-Key was used for another body.",
        )),
        KeyState::InProgress { .. } => Err(ApiError::conflict(
            "idempotency_in_progress",
            "The first request with this Idempotency-Key still runs.",
        )
        .after(RETRY_AFTER)),
    };
    held.leave();
    answer
}

/// Takes the key, also from a request of this process that ended without giving it back.
async fn begin(web: &Web, key: &RequestKey, body: &[u8]) -> Result<KeyState> {
    match idempotency::begin(&web.db, key, body, None, web.clock.now()).await? {
        KeyState::InProgress { by: Some(holder) } if web.running.is_over(&holder) => {
            Ok(idempotency::begin(&web.db, key, body, Some(&holder), web.clock.now()).await?)
        }
        begun => Ok(begun),
    }
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let fit = value.to_str().ok().filter(|text| !text.is_empty() && text.len() <= LENGTH_MAX);
    fit.map(|text| Some(text.to_owned())).ok_or_else(|| {
        ApiError::invalid("Idempotency-Key", format!("must be 1 to {LENGTH_MAX} visible ASCII characters"))
    })
}

fn principal_of(principal: &Principal) -> String {
    match principal {
        Principal::User { user, .. } => format!("user:{}", user.id),
        Principal::Key(key) => format!("key:{}", key.id),
        Principal::Local { .. } => "local".to_owned(),
        Principal::Link(tokens) => format!("link:{}", tokens.fingerprint()),
        Principal::Nobody => "nobody".to_owned(),
    }
}

fn replay(status: u16, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// How a handler that changed something answers: its change is committed together with the answer that is kept for it.
#[derive(Clone)]
pub struct Answering(Option<RequestKey>);

impl FromRequestParts<Web> for Answering {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self> {
        Ok(Self(parts.extensions.get::<RequestKey>().cloned()))
    }
}

impl Takes for Answering {
    fn describe(contract: &mut Contract) {
        contract.keep_answer();
    }
}

impl Answering {
    /// Commits and answers.
    ///
    /// # Errors
    /// The commit's; 409 when the key was taken over because this process was frozen or cut off for seconds. Nothing is
    /// stored then.
    pub async fn commit<T: Serialize, const STATUS: u16>(
        self,
        web: &Web,
        mut tx: Tx,
        body: T,
    ) -> Result<Answer<T, STATUS>> {
        let json = serde_json::to_string(&body).map_err(ApiError::internal)?;
        if let Some(key) = &self.0 {
            let kept = idempotency::finish(&mut tx, key, STATUS, &json, web.clock.now()).await?;
            if !kept {
                return Err(ApiError::conflict(
                    "idempotency_in_progress",
                    "Another request took over this Idempotency-Key.",
                )
                .after(RETRY_AFTER));
            }
        }
        tx.commit().await?;
        Ok(Answer::written(json))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn keys_are_short_and_visible() {
        let of = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_bytes(value).unwrap());
            key_of(&headers).map_err(|error| error.status.as_u16())
        };
        assert_eq!(key_of(&HeaderMap::new()).unwrap(), None);
        assert_eq!(of(b"abc"), Ok(Some("abc".to_owned())));
        assert_eq!(of(&[b'a'; 128]).unwrap().map(|key| key.len()), Some(128));
        assert_eq!(of(&[b'a'; 129]), Err(422));
        assert_eq!(of(b""), Err(422));
        assert_eq!(of("é".as_bytes()), Err(422));
    }
}
