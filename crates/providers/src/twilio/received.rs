//! Lists the texts that Twilio received for a number of ours, because Twilio gives up on a webhook within seconds.
//!
//! Twilio filters by days, so the list is read from the day of the wanted time on, and older texts are left out here.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::client::{TwilioClient, UNREADABLE};
use crate::inbound::{InboundText, ReceivedText, ReceivedTexts};
use crate::json::Fields;
use crate::sms::{LookupError, Service};

/// Number of messages per page, the largest that Twilio allows.
const PAGE_SIZE: &str = "1000";
/// Maximum number of pages that are read for one number.
const PAGES_MAX: usize = 50;
/// Maximum number of media that Twilio attaches to a text.
const MEDIA_PAGE_SIZE: &str = "10";

impl TwilioClient {
    /// Returns the texts to the number `to` that Twilio received at or after `since`, and perhaps some at or after
    /// `until`.
    ///
    /// # Errors
    /// The list could not be read as a whole.
    pub async fn received(
        &self,
        to: &str,
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
    ) -> Result<ReceivedTexts, LookupError> {
        let mut url = self.messages_url();
        url.query_pairs_mut()
            .append_pair("To", to)
            // The query is `DateSent>=2026-11-20`, and the name ends at the first equals sign.
            .append_pair("DateSent>", &since.date_naive().to_string())
            .append_pair("PageSize", PAGE_SIZE);
        // Whether the named day counts is not documented clearly, so a later one is named.
        if let Some(day) = until.and_then(|until| until.date_naive().succ_opt()) {
            url.query_pairs_mut().append_pair("DateSent<", &day.to_string());
        }
        let mut found = ReceivedTexts::default();
        for _ in 0..PAGES_MAX {
            let page = self.get(url).await?;
            let fields = Fields::of(&page);
            for message in fields.list("messages").ok_or(UNREADABLE)? {
                add(&mut found, message, to, since);
            }
            let Some(next) = fields.text("next_page_uri") else {
                // A next page that can't be read is not the end of the list.
                let is_end = fields.at("next_page_uri").is_none();
                return if is_end { Ok(found) } else { Err(UNREADABLE) };
            };
            url = self.same_host(&next)?;
        }
        Err(LookupError::TooMany { by: Service::Twilio })
    }

    /// Returns the addresses of a text's media, as its webhook would have named them.
    ///
    /// # Errors
    /// The list could not be read.
    pub async fn media(&self, sid: &str) -> Result<Vec<String>, LookupError> {
        let mut url = self.messages_url();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop().extend(["Messages", sid, "Media.json"]);
        }
        url.query_pairs_mut().append_pair("PageSize", MEDIA_PAGE_SIZE);
        let page = self.get(url).await?;
        let list = Fields::of(&page).list("media_list").ok_or(UNREADABLE)?;
        list.iter()
            .map(|media| {
                let uri = Fields::of(media).text("uri").ok_or(UNREADABLE)?;
                Ok(self.same_host(uri.strip_suffix(".json").unwrap_or(&uri))?.into())
            })
            .collect()
    }
}

/// Adds a message of the list, unless it was sent by us, is to another number or is older.
fn add(found: &mut ReceivedTexts, message: &Value, to: &str, since: DateTime<Utc>) {
    let fields = Fields::of(message);
    // The list also has texts that we sent to one of our own numbers.
    if fields.text("direction").as_deref() != Some("inbound") {
        return;
    }
    match read(fields) {
        Some(received) if received.text.to != to || received.text.sent_at.is_some_and(|at| at < since) => {}
        Some(received) => found.texts.push(received),
        None => found.unreadable += 1,
    }
}

/// Returns `None` if the message lacks its id, a number or its time.
fn read(message: Fields<'_>) -> Option<ReceivedText> {
    let time = |path: &str| Some(DateTime::parse_from_rfc2822(&message.text(path)?).ok()?.to_utc());
    let text = InboundText {
        sid: message.id("sid")?,
        from: message.text("from")?,
        to: message.text("to")?,
        body: message.at("body").and_then(Value::as_str).unwrap_or_default().replace('\0', "\u{fffd}"),
        media: Vec::new(),
        lacks_media: false,
        keyword: None,
        sent_at: Some(time("date_sent").or_else(|| time("date_created"))?),
    };
    Some(ReceivedText { text, has_more_media: message.whole("num_media").is_some_and(|count| count > 0) })
}
