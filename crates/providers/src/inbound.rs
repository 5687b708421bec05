//! An inbound text, as every carrier's webhook reports it.

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
    /// Set if the carrier has recognised and answered a keyword.
    pub keyword: Option<CarrierKeyword>,
    /// When the carrier received the text. `None` if its webhook does not say.
    pub sent_at: Option<DateTime<Utc>>,
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
