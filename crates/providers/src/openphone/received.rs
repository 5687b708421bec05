//! Lists the texts that OpenPhone received for the numbers of the workspace, because OpenPhone gives up on a webhook after a
//! day.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::Url;
use serde_json::Value;

use super::client::{OpenPhoneClient, UNREADABLE};
use super::event;
use super::lookup::next_page;
use crate::inbound::{InboundText, ReceivedText, ReceivedTexts};
use crate::json::Fields;
use crate::sms::{LookupError, Service};

/// Number of messages per page.
const PAGE_SIZE: &str = "50";
/// Maximum number of pages that are read.
const PAGES_MAX: usize = 600;
/// Maximum number of times that a page is requested again because of the limit of requests a second.
const WAITS_MAX: usize = 20;
/// The wait for OpenPhone's limit of requests a second, if OpenPhone names none.
const WAIT: Duration = Duration::from_secs(1);
/// The longest wait that OpenPhone may ask for.
const WAIT_MAX: Duration = Duration::from_secs(30);

impl OpenPhoneClient {
    /// Returns the texts that OpenPhone received for any number at or after `since`, and perhaps some at or after `until`,
    /// each with the media that the list names. Waits when OpenPhone accepts no more requests for the moment, so this is
    /// for people, not for jobs.
    ///
    /// # Errors
    /// The list could not be read as a whole.
    pub async fn received(
        &self,
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
    ) -> Result<ReceivedTexts, LookupError> {
        // A message of this very instant may not count as created after it.
        let after = (since - TimeDelta::seconds(1)).to_rfc3339_opts(SecondsFormat::Millis, true);
        let before = until.map(|until| until.to_rfc3339_opts(SecondsFormat::Millis, true));
        let mut filters = vec![("direction", "incoming"), ("createdAfter", after.as_str()), ("maxResults", PAGE_SIZE)];
        filters.extend(before.as_deref().map(|before| ("createdBefore", before)));
        let listed = match self.all_pages(&["messages"], &filters).await {
            Err(LookupError::Refused { http_status: 400 | 404, .. }) => {
                self.all_pages(&["v1", "messages"], &filters).await?
            }
            read => read?,
        };
        let mut found = ReceivedTexts::default();
        for message in &listed {
            let fields = Fields::of(message);
            if fields.text("direction").is_some_and(|direction| direction != "incoming") {
                continue;
            }
            match read(fields) {
                Some(text) if text.sent_at.is_some_and(|at| at < since) => {}
                Some(text) => found.texts.push(ReceivedText { text, has_more_media: false }),
                None => found.unreadable += 1,
            }
        }
        Ok(found)
    }

    async fn all_pages(&self, path: &[&str], filters: &[(&str, &str)]) -> Result<Vec<Value>, LookupError> {
        let mut first = self.url(path);
        first.query_pairs_mut().extend_pairs(filters);
        let (mut url, mut messages) = (first.clone(), Vec::new());
        for _ in 0..PAGES_MAX {
            let page = self.get_patiently(url).await?;
            let fields = Fields::of(&page);
            messages.extend_from_slice(fields.list("data").ok_or(UNREADABLE)?);
            let Some((name, token)) = next_page(fields)? else { return Ok(messages) };
            url = first.clone();
            url.query_pairs_mut().append_pair(name, &token);
        }
        Err(LookupError::TooMany { by: Service::OpenPhone })
    }

    async fn get_patiently(&self, url: Url) -> Result<Value, LookupError> {
        for _ in 0..WAITS_MAX {
            match self.get(url.clone(), true).await {
                Err(LookupError::RateLimited { retry_after, .. }) => {
                    tokio::time::sleep(retry_after.unwrap_or(WAIT).min(WAIT_MAX)).await;
                }
                read => return read,
            }
        }
        self.get(url, true).await
    }
}

/// Returns `None` if the message lacks its id, a number or its time.
fn read(message: Fields<'_>) -> Option<InboundText> {
    let to = match message.list("to") {
        Some(list) => list.iter().find_map(Value::as_str).map(str::to_owned),
        None => message.text("to"),
    };
    let at = DateTime::parse_from_rfc3339(&message.text("createdAt")?).ok()?;
    Some(InboundText {
        sid: message.id("id")?,
        from: message.text("from")?,
        to: to.filter(|to| !to.is_empty())?,
        body: message.at("text").and_then(Value::as_str).unwrap_or_default().replace('\0', "\u{fffd}"),
        media: event::media(message.list("media").into_iter().flatten()),
        lacks_media: false,
        keyword: None,
        sent_at: Some(at.to_utc()),
    })
}
