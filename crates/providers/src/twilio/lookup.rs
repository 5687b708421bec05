//! The search for a text whose fate is unknown, in Twilio's list of messages.
//!
//! The list is narrowed by the two numbers alone. A filter by `DateSent` would hide what Twilio still has queued, for
//! such a text has no date yet; so the list, newest first, is read until a page was made before sending began.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::client::{SentMessage, TwilioClient};
use super::error::LookupError;
use super::likeness::is_same_text;
use super::status::MessageStatus;

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
    /// one with another text leaves doubt.
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
            let page: Page = self.get(url).await?;
            let mut all_older = !page.messages.is_empty();
            for listed in page.messages {
                if listed.created_at()? >= since {
                    all_older = false;
                    if listed.is_between(lookup) {
                        found.push(listed.into_candidate(lookup));
                    }
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
        self.get::<Page>(url).await.map(|_| ())
    }
}

#[derive(Deserialize)]
struct Page {
    messages: Vec<Listed>,
    next_page_uri: Option<String>,
}

/// A message as the list shows it.
#[derive(Deserialize)]
struct Listed {
    sid: String,
    status: MessageStatus,
    body: Option<String>,
    from: Option<String>,
    to: Option<String>,
    date_created: Option<String>,
    error_code: Option<u32>,
}

impl Listed {
    /// Compared here too: a filter that the service ignored would otherwise pass off another's text for ours.
    fn is_between(&self, lookup: &Lookup) -> bool {
        let same =
            |shown: &Option<String>, ours: &str| shown.as_deref().is_some_and(|shown| digits(shown).eq(digits(ours)));
        same(&self.from, &lookup.from) && same(&self.to, &lookup.to)
    }

    fn created_at(&self) -> Result<DateTime<Utc>, LookupError> {
        self.date_created
            .as_deref()
            .and_then(|text| DateTime::parse_from_rfc2822(text).ok())
            .map(|at| at.to_utc())
            .ok_or(LookupError::Unreadable)
    }

    fn into_candidate(self, lookup: &Lookup) -> Candidate {
        let same_text = self.body.is_some_and(|body| is_same_text(&body, &lookup.body));
        let message = SentMessage { sid: self.sid, status: self.status };
        Candidate { message, same_text, error_code: self.error_code }
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
