//! Searches Twilio's list of messages for a text with an unknown outcome.
//!
//! The list is filtered only by the two numbers. A filter by `DateSent` would hide queued texts, which have no such
//! date yet. The list is sorted newest first, and pages are read until all messages of a page were created before the
//! attempt whose outcome is unknown.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Url;
use serde_json::Value;

use super::client::{TwilioClient, UNREADABLE, read_message};
use crate::json::Fields;
use crate::sms::{Candidate, Lookup, LookupError, SentMessage, Service, is_same_text, same_number};

/// Maximum difference between Twilio's clock and ours when times are compared.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// Number of messages per page. Two numbers hardly exchange as many within the few minutes that are searched.
const PAGE_SIZE: &str = "200";

/// Maximum number of pages that one lookup reads.
const PAGES_MAX: usize = 25;

impl TwilioClient {
    /// Returns the oldest message with the text that was sent. `None` means that Twilio does not list one, perhaps
    /// because its lists lag by some seconds.
    ///
    /// # Errors
    /// The list could not be read.
    pub async fn find(&self, lookup: &Lookup) -> Result<Option<SentMessage>, LookupError> {
        Ok(self.candidates(lookup).await?.into_iter().find(|found| found.same_text).map(|found| found.message))
    }

    /// Returns the candidates; see [`Carrier::candidates`](crate::sms::Carrier::candidates).
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
                    if listed.may_be_by_request() {
                        found.push(listed.into_candidate(lookup).ok_or(UNREADABLE)?);
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
        Err(LookupError::TooMany { by: Service::Twilio })
    }

    /// Checks that Twilio answers and accepts our credentials, by reading a list with one entry.
    pub async fn check(&self) -> Result<(), LookupError> {
        let mut url = self.messages_url();
        url.query_pairs_mut().append_pair("PageSize", "1");
        self.page(url).await.map(|_| ())
    }

    async fn page(&self, url: Url) -> Result<Page, LookupError> {
        Page::read(&self.get(url).await?).ok_or(UNREADABLE)
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
        // A next page that can't be read is not the end of the list.
        let whole = next_page_uri.is_some() || fields.at("next_page_uri").is_none();
        whole.then_some(Self { messages, next_page_uri })
    }
}

/// A message in the list. Fields that can't be read are `None`. Such a message may be the one that is looked for, so it
/// never counts as a different one.
struct Listed {
    sent: Option<SentMessage>,
    body: Option<String>,
    from: Option<String>,
    to: Option<String>,
    direction: Option<String>,
    date_created: Option<String>,
    error_code: Option<String>,
}

impl Listed {
    fn read(message: &Value) -> Self {
        let fields = Fields::of(message);
        Self {
            sent: read_message(message),
            body: fields.at("body").map_or_else(|| Some(String::new()), |body| body.as_str().map(str::to_owned)),
            from: fields.text("from"),
            to: fields.text("to"),
            direction: fields.text("direction"),
            date_created: fields.text("date_created"),
            error_code: fields.whole("error_code").map(|code| code.to_string()),
        }
    }

    /// Checks the numbers again, because a service that ignores the filter would return messages of others. A number
    /// that can't be read counts as equal.
    fn may_be_between(&self, lookup: &Lookup) -> bool {
        let same = |shown: &Option<String>, ours: &str| shown.as_deref().is_none_or(|shown| same_number(shown, ours));
        same(&self.from, &lookup.from) && same(&self.to, &lookup.to)
    }

    /// Whether a request may have sent the message. A reply in the answer to a webhook was not sent by one, nor was what
    /// somebody wrote to us.
    fn may_be_by_request(&self) -> bool {
        !matches!(self.direction.as_deref(), Some("outbound-reply" | "inbound"))
    }

    fn created_at(&self) -> Result<DateTime<Utc>, LookupError> {
        self.date_created
            .as_deref()
            .and_then(|text| DateTime::parse_from_rfc2822(text).ok())
            .map(|at| at.to_utc())
            .ok_or(UNREADABLE)
    }

    /// Returns `None` if it can't be decided whether this is the message.
    fn into_candidate(self, lookup: &Lookup) -> Option<Candidate> {
        let (Some(message), Some(body), Some(_), Some(_)) = (self.sent, self.body, self.from, self.to) else {
            return None;
        };
        Some(Candidate { message, same_text: is_same_text(&body, &lookup.body), error_code: self.error_code })
    }
}
