//! An inbound text, as every carrier's webhook reports it and every carrier's list shows it.

use std::fmt;

use chrono::{DateTime, Utc};

/// A text that somebody sent to one of our numbers.
#[derive(Clone, PartialEq, Eq)]
pub struct InboundText {
    /// The carrier's id of the text.
    pub sid: String,
    /// The sender: usually a number in E.164 format, else a short code or a name.
    pub from: String,
    /// Our number in E.164 format.
    pub to: String,
    /// Empty if the message has only media.
    pub body: String,
    /// The URLs of pictures and other media.
    pub media: Vec<String>,
    /// Whether it has further media whose URLs are not known.
    pub lacks_media: bool,
    /// Set if the carrier has recognised and answered a keyword.
    pub keyword: Option<CarrierKeyword>,
    /// When the carrier received the text. `None` if its webhook does not say.
    pub sent_at: Option<DateTime<Utc>>,
}

/// Texts in a carrier's list that it received for our numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReceivedTexts {
    /// In the order of the list. The time of each is known.
    pub texts: Vec<ReceivedText>,
    /// Number of received texts that lack what is needed to take them in.
    pub unreadable: usize,
}

/// A text in a carrier's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedText {
    pub text: InboundText,
    /// Whether it has media that the list does not name.
    pub has_more_media: bool,
}

/// A keyword that a carrier has recognised, answered and acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarrierKeyword {
    /// The sender wants no more texts.
    Stop,
    /// The sender wants texts again.
    Start,
    /// The sender asks who we are.
    Help,
}

/// Whether an address of media is one of the web. Others, such as `javascript:`, are not kept, because people open them.
pub(crate) fn is_web_address(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

impl fmt::Debug for InboundText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundText")
            .field("sid", &self.sid)
            .field("body_bytes", &self.body.len())
            .field("media", &self.media.len())
            .field("keyword", &self.keyword)
            .finish_non_exhaustive()
    }
}
