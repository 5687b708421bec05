//! The payload of a job that acts on a webhook about a text: which webhook, and who must wait for whom.

use std::time::Duration;

use nightshift_domain::ids::InboxId;
use nightshift_domain::messaging::numbers::SmsCarrier;
use nightshift_domain::messaging::routing::Sender;
use nightshift_providers::inbound::InboundText;
use nightshift_queue::{Keys, Policy};
use serde::{Deserialize, Serialize};

use super::inbound::opts;
use super::key;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TextWebhook {
    pub(super) inbox_id: InboxId,
    /// The sender as a group knows it, so that texts of one sender are handled in order. `None` for a webhook that must
    /// not wait for others.
    from: Option<String>,
}

impl TextWebhook {
    /// Creates the payload for the webhook stored under `inbox_id`. `text` is the text that it delivers, if it does.
    pub(super) fn new(inbox_id: InboxId, text: Option<(&InboundText, SmsCarrier)>) -> Self {
        Self { inbox_id, from: text.and_then(|(text, carrier)| group_of(text, carrier)) }
    }

    pub(super) fn keys(&self) -> Keys {
        let keys = Keys::once(key(&self.inbox_id));
        match &self.from {
            Some(sender) => keys.strict_group(format!("from:{sender}")),
            None => keys,
        }
    }

    pub(super) fn policy() -> Policy {
        Policy::standard(8).timeout(Duration::from_secs(30))
    }
}

/// Returns the group of the sender's texts, or `None` for a text that no older text may hold back: one by which the
/// sender opts out or in.
fn group_of(text: &InboundText, carrier: SmsCarrier) -> Option<String> {
    (!opts(text, carrier)).then(|| Sender::of(&text.from).group())
}
