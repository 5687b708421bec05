//! What a routing decision depends on.

use std::fmt;

use chrono_tz::Tz;
use nightshift_db::Timestamp;

use crate::ids::{ClientId, SitterId, ThreadId};
use crate::messaging::numbers::NumberClass;
use crate::messaging::opt_outs::Keyword;
use crate::messaging::scope::Scope;
use crate::messaging::windows::{WindowStatus, status_at};
use crate::offers::Command;
use crate::phone::PhoneNumber;
use crate::short_hash::short_hash;

/// The longest name of a sender that is kept, in characters.
const NAME_CHARS_MAX: usize = 64;

/// Who sent a text.
#[derive(Clone, PartialEq, Eq)]
pub enum Sender {
    Phone(PhoneNumber),
    /// A short code, a name or an address of another kind. It is kept as it is and can't be answered.
    Name(String),
}

impl Sender {
    /// Reads what a carrier reports as the sender.
    #[must_use]
    pub fn of(from: &str) -> Self {
        PhoneNumber::stored(from).map_or_else(
            |_| Self::Name(from.chars().filter(|char| *char != '\0').take(NAME_CHARS_MAX).collect()),
            Self::Phone,
        )
    }

    /// Returns the number, if it has one.
    #[must_use]
    pub fn phone(&self) -> Option<&PhoneNumber> {
        match self {
            Self::Phone(phone) => Some(phone),
            Self::Name(_) => None,
        }
    }

    /// Returns what is stored about a sender who becomes known by this text.
    #[must_use]
    pub fn stored(&self) -> String {
        match self {
            Self::Phone(phone) => phone.e164(),
            Self::Name(name) => name.clone(),
        }
    }

    /// Returns the text by which senders are compared: the digits of a number.
    #[must_use]
    pub fn compared(&self) -> String {
        self.stored().replace('+', "")
    }

    /// Returns the group in which this sender's texts are routed one at a time: the digits of a number, else a short hash,
    /// because the key of a group is indexed and a name may have any length.
    #[must_use]
    pub fn group(&self) -> String {
        match self {
            Self::Phone(phone) => phone.digits().to_owned(),
            Self::Name(name) => short_hash(name),
        }
    }

    /// Returns what may be shown of the sender to everybody.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Phone(phone) => phone.masked(),
            Self::Name(_) => "a short code or a name".to_owned(),
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// Whose number a text was sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// The number for new businesses, which the platform owns.
    Onboarding,
    /// A number of an organisation.
    Organization {
        class: NumberClass,
        /// The sitter whose own number it is.
        sitter: Option<KnownSitter>,
    },
    /// No number of ours.
    Nobody,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSitter {
    pub id: SitterId,
    pub name: String,
    pub active: bool,
}

/// An assignment window that opens a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowOfThread {
    pub sitter: Option<KnownSitter>,
    /// Inclusive.
    pub starts_at: Timestamp,
    /// Exclusive.
    pub ends_at: Timestamp,
    pub cancelled_at: Option<Timestamp>,
}

/// An open thread of the client on the number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenThread {
    pub id: ThreadId,
    pub scope: Scope,
    pub assigned_sitter: Option<SitterId>,
    /// When its latest text was sent or received; when it was created, if it has none.
    pub last_message_at: Timestamp,
    pub windows: Vec<WindowOfThread>,
}

/// Everything that decides where a text goes.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Our number, as it may be shown to everybody.
    pub number: String,
    pub reached: Reached,
    pub from: Sender,
    /// The keyword that the text consists of.
    pub keyword: Option<Keyword>,
    /// Whether the carrier acts on the keyword, and answers it.
    pub carrier_answers: bool,
    /// The answer to an offer that the text consists of.
    pub command: Option<Command>,
    /// The sitter of the organisation with the sender's number.
    pub sitter: Option<KnownSitter>,
    /// The client of the organisation with the sender's number or name.
    pub client: Option<ClientId>,
    /// The client's open threads on the number.
    pub threads: Vec<OpenThread>,
    /// Whether, although no window of these threads is active, one of the client's is: its thread is on another number,
    /// or closed.
    pub active_elsewhere: bool,
    /// When the carrier received the text. Windows are judged by this time.
    pub at: Timestamp,
    /// The organisation's time zone.
    pub zone: Tz,
}

impl WindowOfThread {
    /// Returns its status at a time.
    pub(super) fn status(&self, at: Timestamp) -> WindowStatus {
        status_at(self.starts_at, self.ends_at, self.cancelled_at, at)
    }
}

impl Facts {
    /// Whether a window of the client's threads on the number is active.
    pub(super) fn has_active_window(&self) -> bool {
        let mut windows = self.threads.iter().flat_map(|thread| &thread.windows);
        windows.any(|window| window.status(self.at) == WindowStatus::Active)
    }
}
