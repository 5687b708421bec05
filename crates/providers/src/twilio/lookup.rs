//! The search for a text whose fate is unknown, in Twilio's list of messages.
//!
//! The list is narrowed by the two numbers alone. A filter by `DateSent` would hide what Twilio still has queued, for
//! such a text has no date yet; so the list, newest first, is read until a page was made before sending began.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Url;
use serde_json::Value;

use super::client::{SentMessage, TwilioClient};
use super::error::LookupError;
use super::likeness::is_same_text;
use crate::json::Fields;

/// By how much Twilio's clock may differ from ours when its times are compared with ours.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// Messages of one page. Two numbers exchange hardly so many in the minutes that are looked through.
const PAGE_SIZE: &str = "200";

/// A look-up reads at most this many pages.
const PAGES_MAX: usize = 25;

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

/// A message between the same two numbers, made since sending began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The message.
    pub message: SentMessage,
    /// Whether it says what was sent. One that does not may still be it, if nobody knows it as another text.
    pub same_text: bool,
    /// Why it did not arrive, when it did not.
    pub error_code: Option<u32>,
}

impl TwilioClient {
    /// The oldest message that says what was sent. `None` means Twilio does not list one (yet: its lists lag by seconds).
    ///
    /// # Errors
    /// The list could not be read.
    pub async fn find(&self, lookup: &Lookup) -> Result<Option<SentMessage>, LookupError> {
        Ok(self.candidates(lookup).await?.into_iter().find(|found| found.same_text).map(|found| found.message))
    }

    /// All messages with the same sender and recipient made since sending began, oldest first. A caller that knows the
    /// SIDs of its other messages can tell them apart: of what is left, one with the same text is the one looked for, and
    /// one with another text leaves cause.
    ///
    /// # Errors
    /// The list could not be read.
    pub async fn candidates(&self, lookup: &Lookup) -> Result<Vec<Candidate>, LookupError> {
        let since = lookup.since - CLOCK_SKEW;
        let mut url = self.messages_url();
        url.query_pairs_mut()
            .append_pair("To", &lookup.to)
            .append_pair("From", &lookup.from)
            .append_pair("PageSize", PAGE_SIZE);
        let mut found = Vec::new();
        for _ in 0..PAGES_MAX {
            let page = self.page(url).await?;
            let mut all_older = !page.messages.is_empty();
            for listed in page.messages.into_iter().filter(|listed| listed.may_be_between(lookup)) {
                if listed.created_at()? >= since {
                    all_older = false;
                    found.push(listed.into_candidate(lookup).ok_or(LookupError::Unreadable)?);
                }
            }
            match page.next_page_uri {
                Some(next) if !all_older => url = self.same_host(&next)?,
                _ => {
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

    async fn page(&self, url: Url) -> Result<Page, LookupError> {
        Page::read(&self.get(url).await?).ok_or(LookupError::Unreadable)
    }
}

struct Page {
    messages: Vec<Listed>,
    next_page_uri: Option<String>,
}

impl Page {
    fn read(page: &Value) -> Option<Self> {
        let fields = Fields::of(page);
        let messages = fields.list("messages")?.iter().map(Listed::read).collect();
        let next_page_uri = fields.text("next_page_uri");
        // A next page that can't be read is no end of the list.
        let whole = next_page_uri.is_some() || fields.at("next_page_uri").is_none();
        whole.then_some(Self { messages, next_page_uri })
    }
}

/// A message as the list shows it. What can't be read is none, and a message of which that is so may be the one looked
/// for: it never passes for another.
struct Listed {
    sent: Option<SentMessage>,
    body: Option<String>,
    from: Option<String>,
    to: Option<String>,
    date_created: Option<String>,
    error_code: Option<u32>,
}

impl Listed {
    fn read(message: &Value) -> Self {
        let fields = Fields::of(message);
        Self {
            sent: SentMessage::read(message),
            body: fields.at("body").map_or_else(|| Some(String::new()), |body| body.as_str().map(str::to_owned)),
            from: fields.text("from"),
            to: fields.text("to"),
            date_created: fields.text("date_created"),
            error_code: fields.whole("error_code").and_then(|code| code.try_into().ok()),
        }
    }

    /// Compared here too: a filter that the service ignored would otherwise pass off another's text for ours.
    fn may_be_between(&self, lookup: &Lookup) -> bool {
        let same =
            |shown: &Option<String>, ours: &str| shown.as_deref().is_none_or(|shown| digits(shown).eq(digits(ours)));
        same(&self.from, &lookup.from) && same(&self.to, &lookup.to)
    }

    fn created_at(&self) -> Result<DateTime<Utc>, LookupError> {
        self.date_created
            .as_deref()
            .and_then(|text| DateTime::parse_from_rfc2822(text).ok())
            .map(|at| at.to_utc())
            .ok_or(LookupError::Unreadable)
    }

    /// None when it can't be told whether it is the one looked for.
    fn into_candidate(self, lookup: &Lookup) -> Option<Candidate> {
        let (Some(message), Some(body), Some(_), Some(_)) = (self.sent, self.body, self.from, self.to) else {
            return None;
        };
        Some(Candidate { message, same_text: is_same_text(&body, &lookup.body), error_code: self.error_code })
    }
}

fn digits(number: &str) -> impl Iterator<Item = char> {
    number.chars().filter(char::is_ascii_digit)
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("since", &self.since).finish_non_exhaustive()
    }
}
