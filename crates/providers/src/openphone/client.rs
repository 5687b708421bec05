//! The client of OpenPhone's REST API, which sends texts. `lookup.rs` searches for a text with an unknown outcome.
//!
//! The client never retries by itself. The caller decides by the class of the error whether a failed request may be
//! repeated. No debug output contains a phone number, a text or the key.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Url;
use reqwest::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::error::{not_answered, not_taken};
use super::status::delivery;
use crate::http::{ClientError, parse_base_url};
use crate::json::{self, Fields};
use crate::sms::{LookupError, SendError, SendMessage, SentMessage, Service};

/// The address of OpenPhone's API.
pub const BASE_URL: &str = "https://api.openphone.com";

/// An answer that can't be read.
pub(super) const UNREADABLE: LookupError = LookupError::Unreadable { by: Service::OpenPhone };

/// The header that selects a version of the API, for paths without a version in front.
const VERSION_HEADER: &str = "quo-api-version";
/// The first version that lists the messages of the whole workspace.
const VERSION: &str = "2026-03-30";

/// Maximum number of pages of our numbers that are read.
const NUMBER_PAGES_MAX: usize = 50;

/// A client for one OpenPhone workspace. Clones share its connections.
#[derive(Clone)]
pub struct OpenPhoneClient {
    base_url: Url,
    api_key: SecretString,
    http: reqwest::Client,
    /// OpenPhone's ids of our numbers (`PN...`), by number, as far as they are known.
    number_ids: Arc<Mutex<HashMap<String, String>>>,
}

impl OpenPhoneClient {
    /// Creates a client for the API at `base_url`, which is [`BASE_URL`] or a simulator's address.
    ///
    /// # Errors
    /// [`ClientError::Address`] if `base_url` is not an address.
    pub fn new(base_url: &str, api_key: SecretString, http: reqwest::Client) -> Result<Self, ClientError> {
        Ok(Self { base_url: parse_base_url(base_url)?, api_key, http, number_ids: Arc::default() })
    }

    /// Sends one text with a single request. [`SendError`] says what each failure means.
    ///
    /// # Errors
    /// The text was not confirmed as accepted.
    pub async fn send(&self, message: &SendMessage) -> Result<SentMessage, SendError> {
        let body = json!({"content": message.body, "from": message.from, "to": [message.to]});
        let request = self.authorized(self.http.post(self.url(&["v1", "messages"])).json(&body));
        let answer = request.send().await.map_err(|e| SendError::from_transport(Service::OpenPhone, &e))?;
        let http_status = answer.status().as_u16();
        let headers = answer.headers().clone();
        if !answer.status().is_success() {
            // If the body can't be received, the status is enough to classify the error.
            let body = answer.bytes().await.unwrap_or_default();
            return Err(not_taken(http_status, &headers, &body));
        }
        // OpenPhone has accepted the text. If the rest of the answer is unusable, only the id is unknown.
        let body = answer.bytes().await.map_err(|e| SendError::from_transport(Service::OpenPhone, &e))?;
        let taken = json::read(&body).ok();
        let data = taken.as_ref().map(|taken| Fields::of(taken).within("data"));
        if let Some(number_id) = data.and_then(|data| data.id("phoneNumberId")) {
            self.number_ids().insert(message.from.clone(), number_id);
        }
        data.and_then(read_message).ok_or_else(|| SendError::unreadable(Service::OpenPhone, http_status))
    }

    /// Returns the numbers of the workspace in the format that OpenPhone shows, and remembers their ids.
    ///
    /// # Errors
    /// The list could not be read.
    pub async fn numbers(&self) -> Result<Vec<String>, LookupError> {
        let mut numbers = Vec::new();
        let first = self.url(&["v1", "phone-numbers"]);
        let mut url = first.clone();
        for _ in 0..NUMBER_PAGES_MAX {
            let page = self.get(url, false).await?;
            let fields = Fields::of(&page);
            for number in fields.list("data").ok_or(UNREADABLE)? {
                let fields = Fields::of(number);
                if let (Some(id), Some(number)) = (fields.id("id"), fields.text("number")) {
                    self.number_ids().insert(number.clone(), id);
                    numbers.push(number);
                }
            }
            let Some(token) = fields.text("nextPageToken") else { return Ok(numbers) };
            url = first.clone();
            url.query_pairs_mut().append_pair("pageToken", &token);
        }
        Err(LookupError::TooMany { by: Service::OpenPhone })
    }

    /// Returns OpenPhone's id of one of our numbers, or `None` if the workspace has no such number.
    pub(super) async fn number_id(&self, number: &str) -> Result<Option<String>, LookupError> {
        let known = self.number_ids().get(number).cloned();
        if known.is_some() {
            return Ok(known);
        }
        self.numbers().await?;
        Ok(self.number_ids().get(number).cloned())
    }

    /// Fetches one page of a list. `versioned` requests the version of the API that lists the whole workspace.
    pub(super) async fn get(&self, url: Url, versioned: bool) -> Result<Value, LookupError> {
        let mut request = self.authorized(self.http.get(url));
        if versioned {
            request = request.header(VERSION_HEADER, VERSION);
        }
        let lost = |e: reqwest::Error| LookupError::from_transport(Service::OpenPhone, &e);
        let answer = request.send().await.map_err(lost)?;
        let http_status = answer.status();
        let headers = answer.headers().clone();
        let body = answer.bytes().await.map_err(lost)?;
        if !http_status.is_success() {
            return Err(not_answered(http_status.as_u16(), &headers, &body));
        }
        json::read(&body).map_err(|_| UNREADABLE)
    }

    pub(super) fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        request.header(AUTHORIZATION, self.api_key.expose_secret())
    }

    fn number_ids(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.number_ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a message. Returns `None` if it has no id, because its status could never be learned.
pub(super) fn read_message(message: Fields<'_>) -> Option<SentMessage> {
    let status = message.id("status").unwrap_or_default();
    Some(SentMessage { sid: message.id("id")?, delivery: delivery(&status) })
}

impl fmt::Debug for OpenPhoneClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenPhoneClient")
            .field("host", &self.base_url.origin().ascii_serialization())
            .finish_non_exhaustive()
    }
}
