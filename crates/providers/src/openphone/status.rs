//! OpenPhone's words for the status of a message.

use crate::sms::Delivery;

/// Returns how far a message with this status is on its way. Unknown words say nothing about it.
#[must_use]
pub fn delivery(status: &str) -> Delivery {
    match status {
        "sent" => Delivery::Sent,
        "delivered" => Delivery::Delivered,
        "undelivered" => Delivery::Undelivered,
        "failed" => Delivery::Failed,
        _ => Delivery::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_inbound_words_say_nothing() {
        for word in ["queued", "received", "", "Delivered", "teleported"] {
            assert_eq!(delivery(word), Delivery::Pending, "{word}");
        }
        assert_eq!(delivery("undelivered"), Delivery::Undelivered);
    }
}
