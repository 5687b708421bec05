//! Lists the texts that OpenPhone received for the numbers of the workspace, because OpenPhone gives up on a webhook after a
//! day.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;

use super::client::OpenPhoneClient;
use super::event;
use crate::inbound::{InboundText, ReceivedText, ReceivedTexts};
use crate::json::Fields;
use crate::sms::LookupError;

impl OpenPhoneClient {
    /// Returns the texts that OpenPhone received for any number at or after `since`, each with the media that the list
    /// names.
    ///
    /// # Errors
    /// The list could not be read as a whole.
    pub async fn received(&self, since: DateTime<Utc>) -> Result<ReceivedTexts, LookupError> {
        // A message of this very instant may not count as created after it.
        let after = (since - TimeDelta::seconds(1)).to_rfc3339_opts(SecondsFormat::Millis, true);
        let listed = self.workspace(&[("direction", "incoming"), ("createdAfter", &after)]).await?;
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
        keyword: None,
        sent_at: Some(at.to_utc()),
    })
}
