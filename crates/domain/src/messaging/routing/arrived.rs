//! A text as a carrier delivered it, and what of it is kept.

use std::fmt;

use nightshift_db::Timestamp;

use crate::ids::{InboxId, MessageId};
use crate::messaging::numbers::SmsCarrier;
use crate::messaging::opt_outs::Keyword;

/// The most characters of a text that are kept.
const BODY_CHARS_MAX: usize = 1600;

/// A text that a carrier delivered.
#[derive(Clone)]
pub struct Arrived {
    /// The webhook that delivered it.
    pub inbox: InboxId,
    /// The carrier whose webhook it was.
    pub carrier: SmsCarrier,
    /// The carrier's id of the text.
    pub sid: String,
    /// A number, a short code or a name.
    pub from: String,
    /// Our number.
    pub to: String,
    pub body: String,
    /// The URLs of pictures and other media.
    pub media: Vec<String>,
    /// Whether it has further media, which can't be shown.
    pub lacks_media: bool,
    /// The keyword that the carrier has recognised.
    pub keyword: Option<Keyword>,
    /// When the carrier received the text. `None` if it does not say.
    pub sent_at: Option<Timestamp>,
    /// When its webhook first arrived.
    pub received_at: Timestamp,
}

impl Arrived {
    /// Returns when the carrier received the text, as far as it is known. That can't be after the webhook, whatever the
    /// carrier's clock says.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.sent_at.map_or(self.received_at, |at| at.min(self.received_at))
    }

    /// Returns the id under which the text is stored: that of its webhook. So texts sort in the order of their webhooks,
    /// and a text is stored once for each.
    #[must_use]
    pub fn message(&self) -> MessageId {
        MessageId::from(self.inbox.as_str())
    }

    /// Returns what is kept of the text, and whether something is missing from it: the end of a text that is too long,
    /// characters that can't be stored or were lost before, or media.
    pub(in crate::messaging) fn kept(&self) -> (String, bool) {
        let mut chars = self.body.chars();
        let body: String = chars.by_ref().take(BODY_CHARS_MAX).map(storable).collect();
        let is_cut = chars.next().is_some();
        let lacks = is_cut || self.lacks_media || body.contains(char::REPLACEMENT_CHARACTER);
        (body, lacks)
    }

    /// Returns the media's URLs as they are stored.
    pub(in crate::messaging) fn kept_media(&self) -> Vec<String> {
        self.media.iter().map(|url| url.chars().map(storable).collect()).collect()
    }
}

/// PostgreSQL stores every character but NUL.
const fn storable(char: char) -> char {
    if char == '\0' { char::REPLACEMENT_CHARACTER } else { char }
}

impl fmt::Debug for Arrived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrived").field("inbox", &self.inbox).field("carrier", &self.carrier).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arrived(body: &str) -> Arrived {
        Arrived {
            inbox: "inbox-1".into(),
            carrier: SmsCarrier::Twilio,
            sid: "SM1".to_owned(),
            from: "+15551230001".to_owned(),
            to: "+15551230002".to_owned(),
            body: body.to_owned(),
            media: Vec::new(),
            lacks_media: false,
            keyword: None,
            sent_at: None,
            received_at: Timestamp::from_unix_ms(1_000),
        }
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let (body, lacks) = arrived(&"é".repeat(1601)).kept();
        assert_eq!((body.chars().count(), lacks), (1600, true));
        let (body, lacks) = arrived(&"é".repeat(1600)).kept();
        assert_eq!((body.chars().count(), lacks), (1600, false));
    }

    #[test]
    fn characters_that_were_lost_are_marked() {
        assert_eq!(arrived("a\0b").kept(), ("a\u{fffd}b".to_owned(), true));
        assert!(arrived("half an emoji \u{fffd}").kept().1);
        assert_eq!(Arrived { lacks_media: true, ..arrived("a") }.kept(), ("a".to_owned(), true));
    }

    #[test]
    fn a_carrier_whose_clock_is_ahead_is_not_believed() {
        let sent = |ms| Arrived { sent_at: Some(Timestamp::from_unix_ms(ms)), ..arrived("") }.at();
        assert_eq!(sent(900), Timestamp::from_unix_ms(900));
        assert_eq!(sent(1_100), Timestamp::from_unix_ms(1_000));
    }

    proptest! {
        #[test]
        fn what_is_kept_can_be_stored(body in any::<String>()) {
            let (kept, _) = arrived(&body).kept();
            prop_assert!(!kept.contains('\0') && kept.chars().count() <= BODY_CHARS_MAX);
        }
    }
}
