//! The states of a message at Twilio, and their order.
//!
//! Callbacks come doubled and out of order, so a message only ever moves to a state of higher rank. Many messages end at
//! `sent`, because no carrier ever sends a receipt.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `MessageStatus` of a callback, `status` of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    /// Taken by a messaging service, sender not chosen yet.
    Accepted,
    /// To be sent later.
    Scheduled,
    /// Waiting at Twilio.
    Queued,
    /// On its way to the carrier.
    Sending,
    /// Taken by the carrier.
    Sent,
    /// Delivered to some of several recipients.
    PartiallyDelivered,
    /// On the handset.
    Delivered,
    /// The carrier could not deliver it.
    Undelivered,
    /// Twilio could not send it.
    Failed,
    /// Cancelled before it was sent.
    Canceled,
    /// Read by the recipient.
    Read,
    /// Inbound, on its way.
    Receiving,
    /// Inbound, complete.
    Received,
    /// A word that Twilio did not document.
    #[serde(other)]
    Unknown,
}

impl MessageStatus {
    /// Reads Twilio's word for it.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "accepted" => Self::Accepted,
            "scheduled" => Self::Scheduled,
            "queued" => Self::Queued,
            "sending" => Self::Sending,
            "sent" => Self::Sent,
            "partially_delivered" => Self::PartiallyDelivered,
            "delivered" => Self::Delivered,
            "undelivered" => Self::Undelivered,
            "failed" => Self::Failed,
            "canceled" => Self::Canceled,
            "read" => Self::Read,
            "receiving" => Self::Receiving,
            "received" => Self::Received,
            _ => Self::Unknown,
        }
    }

    /// Twilio's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::PartiallyDelivered => "partially_delivered",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Read => "read",
            Self::Receiving => "receiving",
            Self::Received => "received",
            Self::Unknown => "unknown",
        }
    }

    /// How far a message has come. What is unknown or inbound has rank 0 and moves nothing.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self {
            Self::Accepted | Self::Scheduled | Self::Receiving | Self::Received | Self::Unknown => 0,
            Self::Queued => 1,
            Self::Sending => 2,
            Self::Sent | Self::PartiallyDelivered => 3,
            Self::Delivered | Self::Undelivered | Self::Failed | Self::Canceled => 4,
            Self::Read => 5,
        }
    }

    /// Whether a message in state `current` may move to this state.
    #[must_use]
    pub fn moves_on_from(self, current: Self) -> bool {
        self.rank() > current.rank()
    }

    /// Whether the message will not reach its recipient.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Undelivered | Self::Failed | Self::Canceled)
    }
}

impl fmt::Display for MessageStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
