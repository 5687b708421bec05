//! The statuses of a message at Twilio, and their order.
//!
//! Callbacks may be repeated and out of order, so a message only changes to a status of higher rank. Many messages
//! never get further than `sent`, because their carrier sends no receipts.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::sms::Delivery;

/// `MessageStatus` of a callback, or `status` of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    /// Accepted by a messaging service, which has not selected a sender yet.
    Accepted,
    Scheduled,
    /// Waiting at Twilio.
    Queued,
    /// Being passed to the carrier.
    Sending,
    /// Accepted by the carrier.
    Sent,
    /// Delivered to some of several recipients.
    PartiallyDelivered,
    /// Delivered to the handset.
    Delivered,
    /// The carrier could not deliver it.
    Undelivered,
    /// Twilio could not send it.
    Failed,
    /// Cancelled before it was sent.
    Canceled,
    /// Read by the recipient.
    Read,
    /// Inbound and incomplete.
    Receiving,
    /// Inbound and complete.
    Received,
    /// A status that Twilio does not document.
    #[serde(other)]
    Unknown,
}

impl MessageStatus {
    /// Parses Twilio's name of a status.
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

    /// Returns Twilio's name of the status.
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

    /// Returns how far a message has progressed. Unknown and inbound statuses have rank 0, so they never replace
    /// another.
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

    /// Returns whether a message with the status `current` may change to this status.
    #[must_use]
    pub fn moves_on_from(self, current: Self) -> bool {
        self.rank() > current.rank()
    }

    /// Returns how far the message is on its way.
    #[must_use]
    pub fn delivery(self) -> Delivery {
        match self {
            Self::Sent => Delivery::Sent,
            Self::Delivered | Self::Read => Delivery::Delivered,
            Self::Undelivered => Delivery::Undelivered,
            Self::Failed | Self::Canceled => Delivery::Failed,
            _ => Delivery::Pending,
        }
    }

    /// Returns whether the message will not reach its recipient.
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
