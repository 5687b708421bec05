//! A text that is sent while the program dies, and what there is of it in the end, once.

use crate::support::twilio::{self, InboundText};

const POOL: &str = "+15550199001";
pub const DESK: &str = "+15550199000";
const ACCEPTED: &str = "Accepted: dog walking on Sun 31 Dec 2034 10:00.";
const CONFIRMED: &str = "You are unsubscribed. Reply START to get messages again.";

/// What a text is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    WithinWindow,
    OutsideWindows,
    Stop,
    /// A STOP that Twilio does not recognise, so that we confirm it.
    ConfirmedStop,
    /// The answer to the webhook waits for the reply.
    AcceptanceInAnswer,
    /// It does not wait, so the reply is a text.
    AcceptanceByText,
}

impl Kind {
    pub const fn accepts(self) -> bool {
        matches!(self, Self::AcceptanceInAnswer | Self::AcceptanceByText)
    }

    pub const fn body(self) -> &'static str {
        match self {
            Self::WithinWindow | Self::OutsideWindows => "Where is the lead?",
            Self::Stop => "STOP",
            Self::ConfirmedStop => "STOP.",
            Self::AcceptanceInAnswer | Self::AcceptanceByText => "Yes.",
        }
    }

    pub const fn reply(self) -> Option<&'static str> {
        match self {
            Self::WithinWindow | Self::OutsideWindows | Self::Stop => None,
            Self::ConfirmedStop => Some(CONFIRMED),
            Self::AcceptanceInAnswer | Self::AcceptanceByText => Some(ACCEPTED),
        }
    }
}

/// One person, and their one text.
pub struct Text {
    pub number: usize,
    pub kind: Kind,
}

impl Text {
    pub fn sid(&self) -> String {
        format!("SM{:032}", self.number)
    }

    pub fn from(&self) -> String {
        format!("+1212{:07}", 5_550_000 + self.number)
    }

    pub fn request(&self, http: &reqwest::Client, base: &str) -> reqwest::RequestBuilder {
        let to = if self.kind.accepts() { DESK } else { POOL };
        let (sid, from) = (self.sid(), self.from());
        twilio::deliver(http, base, InboundText { sid: &sid, from: &from, to, body: self.kind.body() })
    }
}

/// What there is of a text in the end.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Rows, by name.
    pub rows: Vec<(&'static str, i64)>,
    /// Who has it to read, and the unread texts of the owner and of the sitter.
    pub mailbox: (String, i64, i64),
    /// The reply, in answers and as texts.
    pub replies: usize,
}

impl Outcome {
    pub fn once(kind: Kind) -> Self {
        let (accepts, stops) = (kind.accepts(), matches!(kind, Kind::Stop | Kind::ConfirmedStop));
        let rows = COUNTED.map(|(what, _)| {
            let once = match what {
                "clients" => !accepts,
                "awaited responses" => !accepts && !stops,
                "opt-outs" | "opt-outs in the log" => stops,
                "acceptances" | "acceptances in the log" | "bookings of the sitter" => accepts,
                "replies" => kind.reply().is_some(),
                _ => true,
            };
            (what, i64::from(once))
        });
        let mailbox = if kind == Kind::WithinWindow { ("sitter", 0, 1) } else { ("owner", 1, 0) };
        Self {
            rows: rows.to_vec(),
            mailbox: (mailbox.0.to_owned(), mailbox.1, mailbox.2),
            replies: usize::from(kind.reply().is_some()),
        }
    }
}

/// What is counted of a text: `$1` is its sid, `$2` the digits of its sender.
pub const COUNTED: [(&str, &str); 15] = [
    ("webhooks", "SELECT count(*) FROM webhook_inbox WHERE event_key = $1 AND $2 <> ''"),
    ("processed", "SELECT count(*) FROM webhook_inbox WHERE event_key = $1 AND status = 'processed' AND $2 <> ''"),
    ("texts", "SELECT count(*) FROM message_events WHERE provider_message_sid = $1 AND $2 <> ''"),
    (
        "traces",
        "SELECT count(*) FROM routing_traces WHERE $2 <> ''
         AND inbox_id = (SELECT id FROM webhook_inbox WHERE event_key = $1)",
    ),
    (
        "received",
        "SELECT count(*) FROM event_log WHERE event_type = 'message.received' AND $2 <> ''
         AND inbox_id = (SELECT id FROM webhook_inbox WHERE event_key = $1)",
    ),
    ("clients", "SELECT count(*) FROM clients WHERE phone_number = '+' || $2 AND $1 <> ''"),
    (
        "conversations",
        "SELECT count(*) FROM message_threads t LEFT JOIN clients c ON c.id = t.client_id
         LEFT JOIN sitters s ON s.id = t.assigned_sitter_id AND t.scope = 'owner_sitter'
         WHERE (c.phone_number = '+' || $2 OR s.phone_number = '+' || $2) AND $1 <> ''",
    ),
    (
        "awaited responses",
        "SELECT count(*) FROM message_response_links l JOIN message_events m ON m.id = l.requires_response_event_id
         WHERE m.provider_message_sid = $1 AND $2 <> ''",
    ),
    ("opt-outs", "SELECT count(*) FROM opt_outs WHERE phone_digits = $2 AND $1 <> ''"),
    (
        "opt-outs in the log",
        "SELECT count(*) FROM event_log e JOIN clients c ON c.id = e.client_id
         WHERE e.event_type = 'recipient.opted_out' AND c.phone_number = '+' || $2 AND $1 <> ''",
    ),
    (
        "acceptances",
        "SELECT count(*) FROM offer_events o JOIN sitters s ON s.id = o.sitter_id
         WHERE o.status = 'accepted' AND s.phone_number = '+' || $2 AND $1 <> ''",
    ),
    (
        "acceptances in the log",
        "SELECT count(*) FROM event_log e JOIN sitters s ON s.id = e.sitter_id
         WHERE e.event_type = 'offer.accepted' AND s.phone_number = '+' || $2 AND $1 <> ''",
    ),
    (
        "bookings of the sitter",
        "SELECT count(*) FROM bookings b JOIN sitters s ON s.id = b.sitter_id
         WHERE s.phone_number = '+' || $2 AND $1 <> ''",
    ),
    (
        "replies",
        "SELECT count(*) FROM message_events WHERE $2 <> ''
         AND id = (SELECT reply_message_id FROM webhook_inbox WHERE event_key = $1)",
    ),
    (
        "jobs",
        "SELECT count(*) FROM jobs WHERE $2 <> '' AND kind = 'webhook.twilio.inbound' AND state = 'succeeded'
         AND id = (SELECT id FROM webhook_inbox WHERE event_key = $1)",
    ),
];
