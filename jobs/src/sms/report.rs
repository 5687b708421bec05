//! Converts Twilio's status of a message into the status of a text.

use nightshift_domain::messaging::message::MessageStatus;
use nightshift_providers::twilio::MessageStatus as TwilioStatus;

/// Returns the status of the text, or `None` while Twilio has not sent it yet.
pub(crate) fn our_status(status: TwilioStatus) -> Option<MessageStatus> {
    match status {
        TwilioStatus::Sent => Some(MessageStatus::Sent),
        TwilioStatus::Delivered | TwilioStatus::Read => Some(MessageStatus::Delivered),
        TwilioStatus::Undelivered => Some(MessageStatus::Undelivered),
        TwilioStatus::Failed | TwilioStatus::Canceled => Some(MessageStatus::Failed),
        _ => None,
    }
}
