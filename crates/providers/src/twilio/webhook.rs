//! The forms that Twilio posts: a status callback, and an inbound text.
//!
//! Parameters that are not read here are left alone: Twilio adds new ones without notice.

use std::borrow::Cow;
use std::fmt;

use super::status::MessageStatus;

/// Twilio attaches at most this many pictures to a text.
const MEDIA_MAX: usize = 10;

/// The form lacks what every such webhook carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// A parameter is absent or empty.
    #[error("{0} is missing")]
    Missing(&'static str),
}

impl WebhookError {
    /// The parameter at fault.
    #[must_use]
    pub fn parameter(&self) -> &'static str {
        match self {
            Self::Missing(name) => name,
        }
    }
}

/// What became of a text that was sent.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusCallback {
    /// `SM...` of the text.
    pub message_sid: String,
    /// How far it has come.
    pub status: MessageStatus,
    /// Why it failed, when it did; see [`super::explain`].
    pub error_code: Option<u32>,
    /// The recipient, E.164.
    pub to: Option<String>,
    /// Our number, E.164.
    pub from: Option<String>,
}

/// A text that somebody sent to one of our numbers.
#[derive(Clone, PartialEq, Eq)]
pub struct InboundSms {
    /// `SM...` or `MM...`
    pub message_sid: String,
    /// Mostly E.164; short codes and names occur.
    pub from: String,
    /// Our number, E.164.
    pub to: String,
    /// The text; empty when only pictures came.
    pub body: String,
    /// Pictures and other media, at most ten.
    pub media: Vec<Media>,
    /// Twilio has recognised and answered an opt-out keyword.
    pub opt_out: Option<OptOut>,
}

/// One attachment.
#[derive(Clone, PartialEq, Eq)]
pub struct Media {
    /// Where to fetch it, with the account's credentials.
    pub url: String,
    /// Such as `image/jpeg`.
    pub content_type: Option<String>,
}

/// `OptOutType` of an inbound text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptOut {
    /// No more texts.
    Stop,
    /// Texts again.
    Start,
    /// Who is this?
    Help,
}

impl StatusCallback {
    /// Reads a form body.
    ///
    /// # Errors
    /// [`WebhookError`] without `MessageSid` or `MessageStatus`.
    pub fn parse(body: &[u8]) -> Result<Self, WebhookError> {
        let form = Form::parse(body);
        Ok(Self {
            message_sid: form.required("MessageSid")?,
            status: MessageStatus::parse(&form.required("MessageStatus")?),
            // Twilio writes 0 for "none" in some products.
            error_code: form.text("ErrorCode").and_then(|code| code.parse().ok()).filter(|code| *code != 0),
            to: form.text("To"),
            from: form.text("From"),
        })
    }

    /// What tells repeated deliveries of this callback: `{MessageSid}:{MessageStatus}`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}:{}", self.message_sid, self.status)
    }
}

impl InboundSms {
    /// Reads a form body.
    ///
    /// # Errors
    /// [`WebhookError`] without `MessageSid`, `From` or `To`.
    pub fn parse(body: &[u8]) -> Result<Self, WebhookError> {
        let form = Form::parse(body);
        let media = (0..MEDIA_MAX).filter_map(|n| {
            let url = form.text(&format!("MediaUrl{n}"))?;
            Some(Media { url, content_type: form.text(&format!("MediaContentType{n}")) })
        });
        Ok(Self {
            message_sid: form.required("MessageSid")?,
            from: form.required("From")?,
            to: form.required("To")?,
            body: form.raw("Body").unwrap_or_default(),
            media: media.collect(),
            opt_out: match form.text("OptOutType").as_deref() {
                Some("STOP") => Some(OptOut::Stop),
                Some("START") => Some(OptOut::Start),
                Some("HELP") => Some(OptOut::Help),
                _ => None,
            },
        })
    }
}

/// A decoded form; of a repeated name the first value counts.
struct Form<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Form<'a> {
    fn parse(body: &'a [u8]) -> Self {
        Self(form_urlencoded::parse(body).collect())
    }

    /// The value as sent. A NUL, which no database text may hold, is replaced.
    fn raw(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.replace('\0', "\u{fffd}"))
    }

    /// The value without the white space around it; empty counts as absent.
    fn text(&self, name: &str) -> Option<String> {
        self.raw(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn required(&self, name: &'static str) -> Result<String, WebhookError> {
        self.text(name).ok_or(WebhookError::Missing(name))
    }
}

impl fmt::Debug for StatusCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusCallback")
            .field("message_sid", &self.message_sid)
            .field("status", &self.status)
            .field("error_code", &self.error_code)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for InboundSms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundSms")
            .field("message_sid", &self.message_sid)
            .field("body_bytes", &self.body.len())
            .field("media", &self.media.len())
            .field("opt_out", &self.opt_out)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media").field("content_type", &self.content_type).finish_non_exhaustive()
    }
}
