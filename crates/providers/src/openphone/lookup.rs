//! Searches OpenPhone's list of messages for a text with an unknown outcome.
//!
//! The list is that of one number with one recipient. If OpenPhone's id of the number is not known, it is that of the
//! whole workspace. It is filtered by the time at which messages were created, which queued messages have too. Every page
//! is read, whatever its order.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;

use super::client::{OpenPhoneClient, UNREADABLE, read_message};
use crate::json::Fields;
use crate::sms::{Candidate, Lookup, LookupError, SentMessage, Service, is_same_text, same_number};

/// Maximum difference between OpenPhone's clock and ours when times are compared.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// Number of messages per page.
const PAGE_SIZE: &str = "50";

/// Maximum number of pages that one lookup reads. OpenPhone accepts about as many messages within the few minutes that
/// are searched.
const PAGES_MAX: usize = 60;

impl OpenPhoneClient {
    /// Returns the candidates; see [`Carrier::candidates`](crate::sms::Carrier::candidates).
    ///
    /// # Errors
    /// The list could not be read.
    pub async fn candidates(&self, lookup: &Lookup) -> Result<Vec<Candidate>, LookupError> {
        let since = lookup.since - CLOCK_SKEW;
        let mut found = Vec::new();
        for listed in self.list(lookup, since).await?.iter().map(Listed::read) {
            if !listed.may_be_between(lookup) {
                continue;
            }
            let created_at = listed.created_at.ok_or(UNREADABLE)?;
            if created_at >= since {
                found.push((created_at, listed.into_candidate(lookup).ok_or(UNREADABLE)?));
            }
        }
        // Lists are newest first. Of two messages of the same millisecond, the order of the list decides.
        found.reverse();
        found.sort_by_key(|(created_at, _)| *created_at);
        Ok(found.into_iter().map(|(_, candidate)| candidate).collect())
    }

    /// Checks that OpenPhone answers and accepts our key, by reading the workspace's numbers.
    pub async fn check(&self) -> Result<(), LookupError> {
        self.numbers().await.map(|_| ())
    }

    /// Returns the messages from our number to the recipient, or else all messages of the workspace.
    async fn list(&self, lookup: &Lookup, since: DateTime<Utc>) -> Result<Vec<Value>, LookupError> {
        let since = since.to_rfc3339_opts(SecondsFormat::Millis, true);
        match self.number_id(&lookup.from).await {
            Ok(Some(number_id)) => {
                let of_number =
                    [("phoneNumberId", &*number_id), ("participants", &lookup.to), ("createdAfter", &since)];
                self.pages(&["v1", "messages"], false, &of_number).await
            }
            // Without an id there is no list of the number.
            Ok(None) | Err(LookupError::Refused { http_status: 400 | 403 | 404, .. }) => {
                let of_all = [("direction", "outgoing"), ("createdAfter", &*since)];
                match self.pages(&["messages"], true, &of_all).await {
                    Err(LookupError::Refused { http_status: 400 | 404, .. }) => {
                        self.pages(&["v1", "messages"], true, &of_all).await
                    }
                    read => read,
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Reads all pages of a list.
    async fn pages(&self, path: &[&str], versioned: bool, filters: &[(&str, &str)]) -> Result<Vec<Value>, LookupError> {
        let mut first = self.url(path);
        first.query_pairs_mut().extend_pairs(filters).append_pair("maxResults", PAGE_SIZE);
        let mut url = first.clone();
        let mut messages = Vec::new();
        for _ in 0..PAGES_MAX {
            let page = self.get(url, versioned).await?;
            let fields = Fields::of(&page);
            messages.extend_from_slice(fields.list("data").ok_or(UNREADABLE)?);
            let Some((name, token)) = next_page(fields)? else { return Ok(messages) };
            url = first.clone();
            url.query_pairs_mut().append_pair(name, &token);
        }
        Err(LookupError::TooMany { by: Service::OpenPhone })
    }
}

/// Returns the parameter that requests the next page, if there is one: `pageToken` in the first version of the API,
/// `cursor` in the later one.
pub(super) fn next_page(page: Fields<'_>) -> Result<Option<(&'static str, String)>, LookupError> {
    for (field, parameter) in [("nextPageToken", "pageToken"), ("nextCursor", "cursor")] {
        match (page.at(field), page.text(field)) {
            (_, Some(token)) => return Ok(Some((parameter, token))),
            (None, None) => {}
            (Some(Value::String(_)), None) => {}
            // A next page that can't be read is not the end of the list.
            (Some(_), None) => return Err(UNREADABLE),
        }
    }
    Ok(None)
}

/// A message in the list. Fields that can't be read are `None`. Such a message may be the one that is looked for, so it
/// never counts as a different one.
struct Listed {
    sent: Option<SentMessage>,
    text: Option<String>,
    is_incoming: bool,
    from: Option<String>,
    to: Option<Vec<String>>,
    created_at: Option<DateTime<Utc>>,
    error_code: Option<String>,
}

impl Listed {
    fn read(message: &Value) -> Self {
        let fields = Fields::of(message);
        let to = match fields.at("to") {
            Some(Value::Array(all)) => all.iter().map(|to| to.as_str().map(str::to_owned)).collect(),
            Some(Value::String(one)) => Some(vec![one.clone()]),
            _ => None,
        };
        Self {
            sent: read_message(fields),
            text: fields.at("text").map_or_else(|| Some(String::new()), |text| text.as_str().map(str::to_owned)),
            is_incoming: fields.text("direction").as_deref() == Some("incoming"),
            from: fields.text("from"),
            to,
            created_at: fields.text("createdAt").and_then(|text| text.parse().ok()),
            error_code: fields.id("errorCode"),
        }
    }

    /// Checks the numbers again, because the list of the workspace contains those of others. A number that can't be read
    /// counts as equal.
    fn may_be_between(&self, lookup: &Lookup) -> bool {
        !self.is_incoming
            && self.from.as_deref().is_none_or(|from| same_number(from, &lookup.from))
            && self.to.as_ref().is_none_or(|all| all.iter().any(|to| same_number(to, &lookup.to)))
    }

    /// Returns `None` if it can't be decided whether this is the message.
    fn into_candidate(self, lookup: &Lookup) -> Option<Candidate> {
        let (Some(message), Some(text), Some(_), Some(to)) = (self.sent, self.text, self.from, self.to) else {
            return None;
        };
        // We send to one recipient at a time.
        let same_text = to.len() == 1 && is_same_text(&text, &lookup.body);
        Some(Candidate { message, same_text, error_code: self.error_code })
    }
}
