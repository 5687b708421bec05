//! The client of VAPI's API: starts, polls and looks up calls.

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::call::Call;
use super::error::{AskError, StartError};
use super::refusal::told;
use crate::http::{ClientError, parse_base_url};
use crate::json as tolerant;

/// The address of VAPI's API.
pub const BASE_URL: &str = "https://api.vapi.ai";
/// Maximum length of a call's name at VAPI.
const NAME_CHARS_MAX: usize = 40;
/// Maximum number of calls that VAPI lists at once.
const LIST_LIMIT: usize = 1000;
/// Maximum difference between VAPI's clock and ours when times are compared.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(60);

/// A client for one assistant and one phone number. Clones share its connections.
#[derive(Clone)]
pub struct VapiClient {
    base_url: Url,
    api_key: SecretString,
    assistant_id: String,
    phone_number_id: String,
    http: reqwest::Client,
}

/// A call to start.
#[derive(Clone)]
pub struct StartCall {
    /// The number to call in E.164 format.
    pub number: String,
    /// Our name for the call, at most 40 characters.
    pub name: String,
    pub booking_call_id: String,
    /// The values that the assistant's prompt uses.
    pub variables: Value,
    /// The webhook for VAPI's reports. `None` for no reports.
    pub webhook: Option<Webhook>,
}

/// The webhook to which VAPI reports on a call.
#[derive(Debug, Clone)]
pub struct Webhook {
    pub url: String,
    /// How VAPI proves its identity there.
    pub proof: WebhookProof,
}

/// How VAPI's webhooks are authenticated.
#[derive(Debug, Clone)]
pub enum WebhookProof {
    /// By this secret in a header.
    Secret(SecretString),
    /// By the credential with this id, which is stored at VAPI.
    Credential(String),
}

/// A call that VAPI has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedCall {
    pub id: String,
}

/// A call that may have been started.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// Our name for the call.
    pub name: String,
    pub booking_call_id: String,
    /// Time of the attempt whose outcome is unknown.
    pub since: DateTime<Utc>,
}

impl VapiClient {
    /// Creates a client for the API at `base_url`.
    ///
    /// # Errors
    /// [`ClientError::Address`] if `base_url` is not an address.
    pub fn new(
        base_url: &str,
        api_key: SecretString,
        assistant_id: impl Into<String>,
        phone_number_id: impl Into<String>,
        http: reqwest::Client,
    ) -> Result<Self, ClientError> {
        Ok(Self {
            base_url: parse_base_url(base_url)?,
            api_key,
            assistant_id: assistant_id.into(),
            phone_number_id: phone_number_id.into(),
            http,
        })
    }

    /// Starts a call with a single request. [`StartError`] says what each failure means.
    ///
    /// # Errors
    /// The call was not confirmed as started.
    pub async fn start(&self, call: &StartCall) -> Result<StartedCall, StartError> {
        let asked = self.body(call);
        let request = self.http.post(self.url(&[])).json(&asked);
        let answer = self.authorized(request).send().await.map_err(|e| StartError::from_transport(&e))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        if !status.is_success() {
            // If the body can't be received, the status is enough to classify the error.
            let body = answer.bytes().await.unwrap_or_default();
            return Err(StartError::from_answer(status.as_u16(), &headers, told(&body, &asked)));
        }
        // VAPI has accepted the call. If the rest of the answer is unusable, only the id is unknown.
        let unreadable = || StartError::Unclear { cause: "an answer that can't be read".to_owned() };
        let body = answer.bytes().await.map_err(|e| StartError::from_transport(&e))?;
        let taken = tolerant::read(&body).ok().and_then(|call| Call::read(&call)).ok_or_else(unreadable)?;
        Ok(StartedCall { id: taken.id })
    }

    fn body(&self, call: &StartCall) -> Value {
        let mut overrides = json!({
            "metadata": {"bookingCallId": call.booking_call_id, "executionId": call.name},
            "variableValues": call.variables,
            "serverMessages": ["status-update", "end-of-call-report"],
        });
        if let Some(Webhook { url, proof }) = &call.webhook {
            // VAPI retries a report only if it is given a backoff plan.
            overrides["server"] = json!({
                "url": url, "backoffPlan": {"type": "exponential", "maxRetries": 5, "baseDelaySeconds": 2},
            });
            match proof {
                WebhookProof::Secret(secret) => {
                    overrides["server"]["headers"] = json!({"X-Vapi-Secret": secret.expose_secret()});
                }
                WebhookProof::Credential(id) => overrides["server"]["credentialId"] = json!(id),
            }
        }
        json!({
            "assistantId": self.assistant_id,
            "phoneNumberId": self.phone_number_id,
            "customer": {"number": call.number},
            "name": call.name.chars().take(NAME_CHARS_MAX).collect::<String>(),
            "assistantOverrides": overrides,
        })
    }

    /// Fetches a call.
    pub async fn get(&self, id: &str) -> Result<Call, AskError> {
        Call::read(&self.ask(self.url(&[id])).await?).ok_or(AskError::Unreadable)
    }

    /// Returns the call that may have been started. `None` means that VAPI lists no such call.
    ///
    /// # Errors
    /// The list could not be read completely, so the outcome remains unknown.
    pub async fn find(&self, lookup: &Lookup) -> Result<Option<StartedCall>, AskError> {
        let mut url = self.url(&[]);
        let since = (lookup.since - CLOCK_SKEW).to_rfc3339_opts(SecondsFormat::Millis, true);
        url.query_pairs_mut()
            .append_pair("assistantId", &self.assistant_id)
            .append_pair("createdAtGe", &since)
            .append_pair("limit", &LIST_LIMIT.to_string());
        let answer = self.ask(url).await?;
        let listed = answer.as_array().ok_or(AskError::Unreadable)?;
        let calls: Vec<Call> = listed.iter().filter_map(Call::read).collect();
        if let Some(call) = calls.iter().find(|call| call.is_ours(&lookup.name, &lookup.booking_call_id)) {
            return Ok(Some(StartedCall { id: call.id.clone() }));
        }
        // The call may be missing from a full page, or be one without an id, so not finding it proves nothing.
        if listed.len() >= LIST_LIMIT {
            return Err(AskError::TooMany);
        }
        if calls.len() < listed.len() { Err(AskError::Unreadable) } else { Ok(None) }
    }

    /// Checks that VAPI answers and accepts our key, by reading a list with one entry.
    pub async fn check(&self) -> Result<(), AskError> {
        let mut url = self.url(&[]);
        url.query_pairs_mut().append_pair("limit", "1");
        self.ask(url).await.map(|_| ())
    }

    async fn ask(&self, url: Url) -> Result<Value, AskError> {
        let answer = self.authorized(self.http.get(url)).send().await.map_err(|e| AskError::from_transport(&e))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        if !status.is_success() {
            return Err(AskError::from_answer(status.as_u16(), &headers));
        }
        let body = answer.bytes().await.map_err(|e| AskError::from_transport(&e))?;
        tolerant::read(&body).map_err(|_| AskError::Unreadable)
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        request.bearer_auth(self.api_key.expose_secret())
    }

    fn url(&self, rest: &[&str]) -> Url {
        let mut url = self.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("call").extend(rest);
        }
        url
    }
}

impl fmt::Debug for VapiClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VapiClient")
            .field("host", &self.base_url.origin().ascii_serialization())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for StartCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartCall").field("name", &self.name).finish_non_exhaustive()
    }
}
