//! The HTTP request of a webhook: URI, headers and raw body, and which parts of them are stored.

use std::net::{IpAddr, SocketAddr};

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, FromRequest, Request};
use axum::http::{HeaderMap, Uri};
use nightshift_db::Moment;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::web::error::{ApiError, Result};
use crate::web::limits;
use crate::web::rate_limit::network;
use crate::web::request_id::RequestId;
use crate::web::routes::{Contract, Takes};
use crate::web::state::Web;

/// The maximum length of a stored event key. PostgreSQL can't index text longer than about 2700 bytes.
const EVENT_KEY_BYTES_MAX: usize = 1024;

/// The request of a webhook. Extracting it applies the body limit of webhooks.
pub struct Incoming {
    /// The path and query to which it was sent.
    pub uri: Uri,
    pub headers: HeaderMap,
    /// The unmodified body.
    pub body: Bytes,
    pub request_id: String,
    /// When the whole request had arrived.
    pub arrived: Moment,
    /// The address of the sender.
    client: Option<IpAddr>,
}

impl FromRequest<Web> for Incoming {
    type Rejection = ApiError;

    async fn from_request(request: Request<Body>, web: &Web) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let client = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|client| client.0.ip());
        let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
        let read = limits::read_body(&parts.headers, body, web.settings.http.webhook_body_bytes_max).await;
        let arrived = web.clock.moment();
        let (body, refused) = match read {
            Ok(body) => (body, None),
            Err(refused) => (Bytes::new(), Some(refused)),
        };
        let incoming = Self { uri: parts.uri, headers: parts.headers, body, request_id, arrived, client };
        match refused {
            None => Ok(incoming),
            Some(refused) => {
                incoming.charge(web)?;
                Err(refused)
            }
        }
    }
}

// Each route's row documents its body and proofs, so the extractor adds nothing.
impl Takes for Incoming {
    fn describe(_: &mut Contract) {}
}

impl Incoming {
    /// Counts a delivery that is not verified. Returns 429 if its sender has sent too many. Verified ones are not counted:
    /// behind a proxy all senders may have one address, and Twilio does not send again what strangers crowd out.
    pub(super) fn charge(&self, web: &Web) -> Result<()> {
        let Some(client) = self.client else { return Ok(()) };
        web.rates.webhooks.take(network(client), web.clock.now()).map_err(ApiError::too_many)
    }

    /// Returns 415 if the request states another media type. A request that states none is accepted.
    pub(super) fn expect_type(&self, media_type: &'static str) -> Result<()> {
        match limits::media_type(&self.headers) {
            Some(given) if given != media_type => Err(limits::unsupported(media_type)),
            _ => Ok(()),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(axum::http::HeaderValue::as_bytes)
    }

    /// Returns the headers to store: none that is secret, each cut off after 200 characters.
    pub(super) fn kept_headers(&self) -> Value {
        const KEPT: [&str; 3] = ["content-type", "user-agent", "i-twilio-idempotency-token"];
        let text = |name: &str| Some(self.headers.get(name)?.to_str().ok()?.chars().take(200).collect::<String>());
        KEPT.iter()
            .filter_map(|name| Some(((*name).to_owned(), json!(text(name)?))))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// Returns the body as text that both engines can store. Invalid UTF-8 and NUL become U+FFFD. NULs at the end are
    /// removed.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim_end_matches('\0').replace('\0', "\u{fffd}")
    }

    /// Returns the key that identifies repeated deliveries: the event's own `key`, or the SHA-256 of the body if there
    /// is no `key`, or one that can't be stored or indexed.
    pub(super) fn event_key(&self, key: Option<String>) -> String {
        key.filter(|key| key.len() <= EVENT_KEY_BYTES_MAX && !key.contains('\0'))
            .unwrap_or_else(|| format!("sha256:{}", hex::encode(Sha256::digest(&self.body))))
    }
}
