//! The message lists of the fake OpenPhone: newest first, filtered and paged as at OpenPhone.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::openphone::FakeOpenPhone;
use super::openphone_ledger::OpenPhoneMessage;
use super::openphone_wire::resource;

/// The version of the API that was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// Lists the messages of one number with one participant.
    First,
    /// 2026-03-30, which also lists the messages of the whole workspace.
    Workspace,
}

/// The filters of a list, and the requested page.
#[derive(Default)]
pub(super) struct Filter {
    phone_number_id: Option<String>,
    participants: Vec<String>,
    direction: Option<String>,
    status: Option<String>,
    after: Option<DateTime<Utc>>,
    before: Option<DateTime<Utc>>,
    page_size: usize,
    /// The id of the last message of the previous page.
    page_token: Option<String>,
}

impl Filter {
    /// Returns `None` if OpenPhone would find the query invalid.
    pub(super) fn parse(query: &str, version: Version) -> Option<Self> {
        let mut filter = Self { page_size: 10, ..Self::default() };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let text = || value.to_string();
            match name.as_ref() {
                "phoneNumberId" => filter.phone_number_id = Some(text()).filter(|id| id.starts_with("PN")),
                "participants" | "participants[]" => filter.participants.push(text()),
                "direction" => filter.direction = Some(text()),
                "status" => filter.status = Some(text()),
                "createdAfter" => filter.after = Some(value.parse().ok()?),
                // As at OpenPhone, `since` means "before".
                "createdBefore" | "since" => filter.before = Some(value.parse().ok()?),
                "maxResults" => filter.page_size = value.parse().ok().filter(|size| (1..=100).contains(size))?,
                "pageToken" | "cursor" => filter.page_token = Some(text()),
                _ => {}
            }
        }
        let complete = filter.phone_number_id.is_some() && !filter.participants.is_empty();
        (complete || version == Version::Workspace).then_some(filter)
    }

    pub(super) fn participant(&self) -> Option<&str> {
        self.participants.first().map(String::as_str)
    }

    fn lets_through(&self, message: &OpenPhoneMessage, listed_until: DateTime<Utc>) -> bool {
        let other = if message.incoming { &message.from } else { &message.to };
        let direction = if message.incoming { "incoming" } else { "outgoing" };
        self.phone_number_id.as_ref().is_none_or(|id| *id == message.phone_number_id)
            && (self.participants.is_empty() || self.participants.contains(other))
            && self.direction.as_deref().is_none_or(|wanted| wanted == direction)
            && self.status.as_ref().is_none_or(|status| *status == message.status)
            && self.after.is_none_or(|after| message.created_at > after)
            && self.before.is_none_or(|before| message.created_at < before)
            && message.created_at <= listed_until
    }
}

/// Returns the requested page.
pub(super) fn page(openphone: &FakeOpenPhone, filter: &Filter, version: Version) -> Value {
    let listed_until = openphone.now() - openphone.account.list_lag;
    let found: Vec<_> = openphone.read(|ledger| {
        let newest_first = ledger.messages().iter().rev();
        newest_first.filter(|message| filter.lets_through(message, listed_until)).cloned().collect()
    });
    let start = match &filter.page_token {
        Some(token) => found.iter().position(|message| message.id == *token).map_or(found.len(), |at| at + 1),
        None => 0,
    };
    let end = found.len().min(start + filter.page_size);
    let next = (end < found.len()).then(|| found[end - 1].id.clone());
    let data: Vec<_> = found[start..end].iter().map(resource).collect();
    match version {
        Version::First => json!({"data": data, "totalItems": found.len(), "nextPageToken": next}),
        Version::Workspace => json!({"data": data, "nextCursor": next}),
    }
}
