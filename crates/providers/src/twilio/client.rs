//! The client of Twilio's REST API, which sends texts. `lookup.rs` searches for a text with an unknown outcome.
//!
//! The client never retries by itself. The caller decides by the class of the error whether a failed request may be
//! repeated. No debug output contains a phone number, a text or the token.

use std::fmt;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::error::{not_listed, not_taken};
use super::status::MessageStatus;
use crate::http::{ClientError, parse_base_url};
use crate::json::{self, Fields};
use crate::sms::{LookupError, SendError, SendMessage, SentMessage, Service};

/// The address of Twilio's API.
pub const BASE_URL: &str = "https://api.twilio.com";

/// An answer that is not a list of messages.
pub(super) const UNREADABLE: LookupError = LookupError::Unreadable { by: Service::Twilio };

/// A client for one Twilio account. Clones share its connections.
#[derive(Clone)]
pub struct TwilioClient {
    base_url: Url,
    account_sid: String,
    /// The SID of the account or of one of its API keys, to which `secret` belongs.
    user: String,
    secret: SecretString,
    http: reqwest::Client,
}

impl TwilioClient {
    /// Creates a client for the API at `base_url`, which is [`BASE_URL`] or a simulator's address.
    ///
    /// # Errors
    /// [`ClientError::Address`] if `base_url` is not an address.
    pub fn new(
        base_url: &str,
        account_sid: impl Into<String>,
        auth_token: SecretString,
        http: reqwest::Client,
    ) -> Result<Self, ClientError> {
        let account_sid = account_sid.into();
        let user = account_sid.clone();
        Ok(Self { base_url: parse_base_url(base_url)?, account_sid, user, secret: auth_token, http })
    }

    /// Authenticates with an API key (`SK...`) instead of the auth token. Unlike the token, a key can be revoked by
    /// itself.
    #[must_use]
    pub fn with_api_key(self, key_sid: impl Into<String>, secret: SecretString) -> Self {
        Self { user: key_sid.into(), secret, ..self }
    }

    /// Sends one text with a single request. [`SendError`] says what each failure means.
    ///
    /// # Errors
    /// The text was not confirmed as accepted.
    pub async fn send(&self, message: &SendMessage) -> Result<SentMessage, SendError> {
        let mut form = vec![
            ("From", message.from.as_str()),
            ("To", &message.to),
            ("Body", &message.body),
            ("MessageIntent", message.intent.of_twilio()),
        ];
        if let Some(callback) = &message.status_callback {
            form.push(("StatusCallback", callback));
        }
        let request = self.authorized(self.http.post(self.messages_url()).form(&form));
        let answer = request.send().await.map_err(|e| SendError::from_transport(Service::Twilio, &e))?;
        let http_status = answer.status().as_u16();
        let headers = answer.headers().clone();
        if answer.status().is_success() {
            // Twilio has accepted the text. If the rest of the answer is unusable, only the SID is unknown.
            let body = answer.bytes().await.map_err(|e| SendError::from_transport(Service::Twilio, &e))?;
            let taken = json::read(&body).ok();
            return taken
                .and_then(|taken| read_message(&taken))
                .ok_or_else(|| SendError::unreadable(Service::Twilio, http_status));
        }
        // If the body can't be received, the status is enough to classify the error.
        let body = answer.bytes().await.unwrap_or_default();
        Err(not_taken(http_status, &headers, &body))
    }

    /// Fetches one page of a list.
    pub(super) async fn get(&self, url: Url) -> Result<Value, LookupError> {
        let answer = self
            .authorized(self.http.get(url))
            .send()
            .await
            .map_err(|e| LookupError::from_transport(Service::Twilio, &e))?;
        let http_status = answer.status();
        let headers = answer.headers().clone();
        let body = answer.bytes().await.map_err(|e| LookupError::from_transport(Service::Twilio, &e))?;
        if !http_status.is_success() {
            return Err(not_listed(http_status.as_u16(), &headers, &body));
        }
        json::read(&body).map_err(|_| UNREADABLE)
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        request.basic_auth(&self.user, Some(self.secret.expose_secret()))
    }

    pub(super) fn messages_url(&self) -> Url {
        let mut url = self.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["2010-04-01", "Accounts", &self.account_sid, "Messages.json"]);
        }
        url
    }

    /// Returns the URL of the next page. A page on another host is refused, because that host must not see the token.
    pub(super) fn same_host(&self, uri: &str) -> Result<Url, LookupError> {
        let url = self.base_url.join(uri).map_err(|_| UNREADABLE)?;
        if url.origin() == self.base_url.origin() { Ok(url) } else { Err(UNREADABLE) }
    }
}

/// Reads a message. Returns `None` if it has no SID, because its status could never be queried.
pub(super) fn read_message(message: &Value) -> Option<SentMessage> {
    let fields = Fields::of(message);
    let status = MessageStatus::parse(&fields.id("status").unwrap_or_default());
    Some(SentMessage { sid: fields.id("sid")?, delivery: status.delivery() })
}

impl fmt::Debug for TwilioClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioClient")
            .field("host", &self.base_url.origin().ascii_serialization())
            .finish_non_exhaustive()
    }
}
