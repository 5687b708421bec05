//! What Twilio's words about a text mean for ours.

use nightshift_domain::messaging::message::MessageStatus;
use nightshift_providers::twilio::MessageStatus as TwilioStatus;

/// What a report says about one of our texts; nothing while Twilio still has it in hand.
pub(crate) fn our_status(status: TwilioStatus) -> Option<MessageStatus> {
    match status {
        TwilioStatus::Sent => Some(MessageStatus::Sent),
        TwilioStatus::Delivered | TwilioStatus::Read => Some(MessageStatus::Delivered),
        TwilioStatus::Undelivered => Some(MessageStatus::Undelivered),
        TwilioStatus::Failed | TwilioStatus::Canceled => Some(MessageStatus::Failed),
        _ => None,
    }
}
