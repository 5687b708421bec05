//! The meaning of Twilio's error codes.
//!
//! Twilio's messages contain the recipient's number, so they are never shown. This table explains the codes instead.

use crate::sms::Refusal;

/// Returns what must be done about a refused message.
pub(super) fn refusal(code: Option<u32>, http_status: u16) -> Refusal {
    match code {
        Some(21610) => Refusal::OptedOut,
        Some(30610 | 30615) => Refusal::Hours,
        Some(30640) => Refusal::Litigator,
        Some(21211 | 21614 | 21217 | 21612) => Refusal::Recipient,
        Some(21212 | 21606 | 21659 | 21603) => Refusal::Sender,
        Some(21408 | 21608) => Refusal::NotPermitted,
        Some(20003 | 20404) => Refusal::Account,
        Some(21617 | 21602 | 21619) => Refusal::Body,
        Some(_) => Refusal::Other,
        None if matches!(http_status, 401 | 403 | 404) => Refusal::Account,
        None => Refusal::Other,
    }
}

/// Returns what must be done about a message that Twilio accepted and did not deliver, if anything.
#[must_use]
pub fn undelivered(code: u32) -> Option<Refusal> {
    Some(refusal(Some(code), 400))
        .filter(|refusal| matches!(refusal, Refusal::OptedOut | Refusal::Hours | Refusal::Litigator))
}

/// Returns the meaning of an error code of a refusal or a status callback. Unknown codes have a general text.
#[must_use]
pub fn explain(code: u32) -> &'static str {
    match code {
        20003 => "the account SID or auth token is wrong",
        20001 => "a parameter is not valid",
        20009 => "the message is not complete and can't be changed yet",
        20404 => "the account or resource does not exist",
        20429 => "too many requests at once",
        20500 | 20503 => "Twilio has an internal problem",
        21211 | 21217 => "the recipient's number is not valid",
        21614 => "the recipient's number is not a mobile number",
        21612 => "the recipient cannot be reached from this number",
        21212 | 21603 => "the sending number is not valid",
        21606 | 21659 => "the sending number does not belong to this account or cannot send texts",
        21408 => "the account may not send to the recipient's country",
        21608 => "a trial account may only send to verified numbers",
        21609 => "the status callback's address is not valid",
        21610 => "the recipient has opted out",
        21611 => "the sending number's queue is full",
        21602 | 21619 => "the text is empty",
        21617 => "the text is too long",
        30409 => "the message is not scheduled, so it can't be cancelled",
        35118 => "only a messaging service schedules texts",
        30001 => "Twilio's queue overflowed or the text waited too long",
        30003 => "the handset is off or out of reach",
        30004 => "the recipient blocks the message",
        30005 => "the recipient's number is unknown to the carrier",
        30006 => "the recipient has a landline or an unreachable carrier",
        30007 => "the carrier filtered the message",
        30008 => "the carrier gave no reason",
        30010 => "the message costs more than allowed",
        30032 => "the toll-free number is not verified",
        30034 => "the number is not registered for application texts",
        30410 => "the carrier did not answer in time",
        30500 => "Twilio has an internal problem",
        30610 => "Twilio lets no texts through to the recipient in these hours",
        30615 => "it is outside the hours in which the recipient may get texts",
        30640 => "the recipient is known as one who sues senders of texts",
        _ => "Twilio gave a code that is not documented here",
    }
}
