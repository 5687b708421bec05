//! Twilio's REST API: send a text. How one whose fate is unknown is looked for is in `lookup.rs`.
//!
//! The client never sends twice by itself: whether a failed request may be repeated is the caller's decision, by the
//! class of the error. Nothing it prints holds a phone number, a text or the token.

use std::fmt;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::error::{LookupError, SendError, UnclearCause};
use super::status::MessageStatus;
use crate::http::{ClientError, parse_base_url};
use crate::json::{self, Fields};

/// Where Twilio's API lives.
pub const BASE_URL: &str = "https://api.twilio.com";

/// One account at Twilio. Clones share their connections.
#[derive(Clone)]
pub struct TwilioClient {
    base_url: Url,
    account_sid: String,
    /// The account itself or one of its API keys, and the secret of either.
    user: String,
    secret: SecretString,
    http: reqwest::Client,
}

/// A text to send.
#[derive(Clone, PartialEq, Eq)]
pub struct SendMessage {
    /// Our number, E.164.
    pub from: String,
    /// The recipient, E.164.
    pub to: String,
    /// The text, at most 1600 characters.
    pub body: String,
    /// Where Twilio reports what becomes of it. A fragment sets its retries and is not part of what it signs.
    pub status_callback: Option<String>,
}

/// A text that Twilio has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMessage {
    /// `SM...`
    pub sid: String,
    /// How far it has come.
    pub status: MessageStatus,
}

impl TwilioClient {
    /// A client for the API at `base_url`, which is [`BASE_URL`] or a simulator's address.
    ///
    /// # Errors
    /// [`ClientError::Address`] when `base_url` is none.
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

    /// The same account, asked with an API key (`SK...`) instead of its auth token: a key can be revoked by itself.
    #[must_use]
    pub fn with_api_key(self, key_sid: impl Into<String>, secret: SecretString) -> Self {
        Self { user: key_sid.into(), secret, ..self }
    }

    /// Sends one text. Asks once; see [`SendError`] for what each failure means.
    ///
    /// # Errors
    /// The text was not confirmed as taken.
    pub async fn send(&self, message: &SendMessage) -> Result<SentMessage, SendError> {
        let mut form = vec![("From", &message.from), ("To", &message.to), ("Body", &message.body)];
        if let Some(callback) = &message.status_callback {
            form.push(("StatusCallback", callback));
        }
        let request = self.authorized(self.http.post(self.messages_url()).form(&form));
        let answer = request.send().await.map_err(|e| SendError::from_transport(&e))?;
        let http_status = answer.status().as_u16();
        let headers = answer.headers().clone();
        if answer.status().is_success() {
            // Twilio has it, so whatever is wrong with the rest of the answer leaves only the SID unknown.
            let body = answer.bytes().await.map_err(|e| SendError::from_transport(&e))?;
            let taken = json::read(&body).ok();
            return taken
                .and_then(|taken| SentMessage::read(&taken))
                .ok_or(SendError::Unclear { cause: UnclearCause::Unreadable { http_status }, retry_after: None });
        }
        // The status alone tells enough when the body does not come through.
        let body = answer.bytes().await.unwrap_or_default();
        Err(SendError::from_answer(http_status, &headers, &body))
    }

    /// Reads one page of a list.
    pub(super) async fn get(&self, url: Url) -> Result<Value, LookupError> {
        let answer = self.authorized(self.http.get(url)).send().await.map_err(|e| LookupError::from_transport(&e))?;
        let http_status = answer.status();
        let headers = answer.headers().clone();
        let body = answer.bytes().await.map_err(|e| LookupError::from_transport(&e))?;
        if !http_status.is_success() {
            return Err(LookupError::from_answer(http_status.as_u16(), &headers, &body));
        }
        json::read(&body).map_err(|_| LookupError::Unreadable)
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

    /// The next page, as long as it is on the host that may see the token.
    pub(super) fn same_host(&self, uri: &str) -> Result<Url, LookupError> {
        let url = self.base_url.join(uri).map_err(|_| LookupError::Unreadable)?;
        if url.origin() == self.base_url.origin() { Ok(url) } else { Err(LookupError::Unreadable) }
    }
}

impl SentMessage {
    /// What is read of a message. None without a SID: nobody can ask then what became of it.
    pub(super) fn read(message: &Value) -> Option<Self> {
        let fields = Fields::of(message);
        let status = MessageStatus::parse(&fields.id("status").unwrap_or_default());
        Some(Self { sid: fields.id("sid")?, status })
    }
}

impl fmt::Debug for TwilioClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioClient")
            .field("host", &self.base_url.origin().ascii_serialization())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SendMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendMessage").field("body_bytes", &self.body.len()).finish_non_exhaustive()
    }
}
