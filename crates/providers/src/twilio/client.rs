//! Twilio's REST API: send a text, and look for one whose fate is unknown.
//!
//! The client never sends twice by itself: whether a failed request may be repeated is the caller's decision, by the
//! class of the error. Nothing it prints holds a phone number, a text or the token.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::error::{Doubt, LookupError, SendError};
use super::status::MessageStatus;
use crate::http::{ClientError, parse_base_url};
use crate::json::{self, Fields};

/// Where Twilio's API lives.
pub const BASE_URL: &str = "https://api.twilio.com";

/// By how much Twilio's clock may be behind ours when its times are compared with ours.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(5);

/// Twilio's largest page.
const PAGE_SIZE: &str = "1000";

/// A look-up reads at most this many pages; one pair of numbers fills hardly one in a day.
const PAGES_MAX: usize = 5;

/// One account at Twilio. Clones share their connections.
#[derive(Clone)]
pub struct TwilioClient {
    base_url: Url,
    account_sid: String,
    auth_token: SecretString,
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

/// A text whose fate is unknown.
#[derive(Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Our number, E.164.
    pub from: String,
    /// The recipient, E.164.
    pub to: String,
    /// The text that was sent.
    pub body: String,
    /// When sending began.
    pub since: DateTime<Utc>,
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
        Ok(Self { base_url: parse_base_url(base_url)?, account_sid: account_sid.into(), auth_token, http })
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
                .and_then(|taken| MessageResource::read(&taken).into_sent())
                .ok_or(SendError::Ambiguous { doubt: Doubt::Unreadable { http_status }, retry_after: None });
        }
        // The status alone tells enough when the body does not come through.
        let body = answer.bytes().await.unwrap_or_default();
        Err(SendError::from_answer(http_status, &headers, &body))
    }

    /// Looks for a text that may have gone out. `None` means Twilio does not list it (yet: its lists lag by seconds).
    /// Of several, the oldest; see [`TwilioClient::candidates`] for all.
    ///
    /// # Errors
    /// The list could not be read.
    pub async fn find(&self, lookup: &Lookup) -> Result<Option<SentMessage>, LookupError> {
        Ok(self.candidates(lookup).await?.into_iter().next())
    }

    /// All texts with the same sender, recipient and text made since sending began, oldest first. There is more than one
    /// when the same words were sent again; a caller that knows the SIDs of its other messages can tell them apart.
    ///
    /// # Errors
    /// The list could not be read.
    pub async fn candidates(&self, lookup: &Lookup) -> Result<Vec<SentMessage>, LookupError> {
        // Twilio's times have whole seconds, and its clock is not ours.
        let since = lookup.since - CLOCK_SKEW;
        let mut url = self.messages_url();
        url.query_pairs_mut()
            .append_pair("To", &lookup.to)
            .append_pair("From", &lookup.from)
            .append_pair("DateSent>", &since.format("%Y-%m-%d").to_string())
            .append_pair("PageSize", PAGE_SIZE);
        let mut found = Vec::new();
        for _ in 0..PAGES_MAX {
            let page = self.page(url).await?;
            for message in page.messages {
                if message.may_match(lookup) && message.created_at()? >= since {
                    found.push(message.into_match().ok_or(LookupError::Unreadable)?);
                }
            }
            match page.next_page_uri {
                Some(next) => url = self.same_host(&next)?,
                None => {
                    found.reverse();
                    return Ok(found);
                }
            }
        }
        Err(LookupError::TooMany)
    }

    /// Reads a list with one entry: whether Twilio answers and takes our credentials. Changes nothing.
    ///
    /// # Errors
    /// How it did not.
    pub async fn check(&self) -> Result<(), LookupError> {
        let mut url = self.messages_url();
        url.query_pairs_mut().append_pair("PageSize", "1");
        self.page(url).await.map(|_| ())
    }

    async fn page(&self, url: Url) -> Result<MessagePage, LookupError> {
        let answer = self.authorized(self.http.get(url)).send().await.map_err(|e| LookupError::from_transport(&e))?;
        let http_status = answer.status();
        let headers = answer.headers().clone();
        let body = answer.bytes().await.map_err(|e| LookupError::from_transport(&e))?;
        if !http_status.is_success() {
            return Err(LookupError::from_answer(http_status.as_u16(), &headers, &body));
        }
        json::read(&body).ok().and_then(|page| MessagePage::read(&page)).ok_or(LookupError::Unreadable)
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        request.basic_auth(&self.account_sid, Some(self.auth_token.expose_secret()))
    }

    fn messages_url(&self) -> Url {
        let mut url = self.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["2010-04-01", "Accounts", &self.account_sid, "Messages.json"]);
        }
        url
    }

    /// The next page, as long as it is on the host that may see the token.
    fn same_host(&self, uri: &str) -> Result<Url, LookupError> {
        let url = self.base_url.join(uri).map_err(|_| LookupError::Unreadable)?;
        if url.origin() == self.base_url.origin() { Ok(url) } else { Err(LookupError::Unreadable) }
    }
}

/// A message as the API shows it.
struct MessageResource {
    sid: Option<String>,
    status: MessageStatus,
    body: Option<String>,
    from: Option<String>,
    to: Option<String>,
    date_created: Option<String>,
}

struct MessagePage {
    messages: Vec<MessageResource>,
    next_page_uri: Option<String>,
}

impl MessagePage {
    fn read(page: &Value) -> Option<Self> {
        let fields = Fields::of(page);
        let messages = fields.list("messages")?.iter().map(MessageResource::read).collect();
        let next_page_uri = fields.text("next_page_uri");
        // A next page that can't be read is no end of the list.
        let whole = next_page_uri.is_some() || fields.at("next_page_uri").is_none();
        whole.then_some(Self { messages, next_page_uri })
    }
}

impl MessageResource {
    fn read(message: &Value) -> Self {
        let fields = Fields::of(message);
        Self {
            sid: fields.id("sid"),
            status: MessageStatus::parse(&fields.id("status").unwrap_or_default()),
            body: fields.at("body").map_or_else(|| Some(String::new()), |body| body.as_str().map(str::to_owned)),
            from: fields.text("from"),
            to: fields.text("to"),
            date_created: fields.text("date_created"),
        }
    }

    /// Without a SID nobody can ask what became of it.
    fn into_sent(self) -> Option<SentMessage> {
        Some(SentMessage { sid: self.sid?, status: self.status })
    }

    /// Compared here too: a filter that the service ignored would otherwise pass off another text for ours. What can't
    /// be read may be ours.
    fn may_match(&self, lookup: &Lookup) -> bool {
        self.from.as_ref().is_none_or(|from| *from == lookup.from)
            && self.to.as_ref().is_none_or(|to| *to == lookup.to)
            && self.body.as_ref().is_none_or(|body| body.trim() == lookup.body.trim())
    }

    /// None when it can't be told whether it is ours.
    fn into_match(self) -> Option<SentMessage> {
        if self.from.is_none() || self.to.is_none() || self.body.is_none() { None } else { self.into_sent() }
    }

    fn created_at(&self) -> Result<DateTime<Utc>, LookupError> {
        self.date_created
            .as_deref()
            .and_then(|text| DateTime::parse_from_rfc2822(text).ok())
            .map(|at| at.to_utc())
            .ok_or(LookupError::Unreadable)
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

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("since", &self.since).finish_non_exhaustive()
    }
}
