//! The forms that Twilio posts: status callbacks and inbound texts.
//!
//! Other parameters are ignored, because Twilio adds new ones without notice.

use std::borrow::Cow;
use std::fmt;

use super::status::MessageStatus;

/// Maximum number of media that Twilio attaches to a text.
const MEDIA_MAX: usize = 10;

/// The form lacks a required parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The parameter is absent or empty.
    #[error("{0} is missing")]
    Missing(&'static str),
}

impl WebhookError {
    /// Returns the name of the missing parameter.
    #[must_use]
    pub fn parameter(&self) -> &'static str {
        match self {
            Self::Missing(name) => name,
        }
    }
}

/// The status of a text that we sent.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusCallback {
    /// `SM...` of the text.
    pub message_sid: String,
    pub status: MessageStatus,
    /// Why it failed, if it did; see [`super::explain`].
    pub error_code: Option<u32>,
    /// The recipient's number in E.164 format.
    pub to: Option<String>,
    /// Our number in E.164 format.
    pub from: Option<String>,
}

/// A text that was sent to one of our numbers.
#[derive(Clone, PartialEq, Eq)]
pub struct InboundSms {
    pub message_sid: String,
    /// Usually in E.164 format; may be a short code or a name.
    pub from: String,
    /// Our number in E.164 format.
    pub to: String,
    /// Empty if the message has only media.
    pub body: String,
    /// Pictures and other media, at most ten.
    pub media: Vec<Media>,
    /// Set if Twilio has recognised and answered an opt-out keyword.
    pub opt_out: Option<OptOut>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Media {
    /// The address from which it can be fetched with the account's credentials.
    pub url: String,
    /// For example `image/jpeg`.
    pub content_type: Option<String>,
}

/// `OptOutType` of an inbound text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptOut {
    /// The sender wants no more texts.
    Stop,
    /// The sender wants texts again.
    Start,
    /// The sender asks who we are.
    Help,
}

impl StatusCallback {
    /// Parses a form body.
    ///
    /// # Errors
    /// [`WebhookError`] if `MessageSid` or `MessageStatus` is missing.
    pub fn parse(body: &[u8]) -> Result<Self, WebhookError> {
        let form = Form::parse(body);
        Ok(Self {
            message_sid: form.required("MessageSid")?,
            status: MessageStatus::parse(&form.required("MessageStatus")?),
            // Some of Twilio's products send 0 for "no error".
            error_code: form.text("ErrorCode").and_then(|code| code.parse().ok()).filter(|code| *code != 0),
            to: form.text("To"),
            from: form.text("From"),
        })
    }

    /// Returns `{MessageSid}:{MessageStatus}`, which is the same for repeated deliveries of this callback.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}:{}", self.message_sid, self.status)
    }
}

impl InboundSms {
    /// Parses a form body.
    ///
    /// # Errors
    /// [`WebhookError`] if `MessageSid`, `From` or `To` is missing.
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

/// A decoded form. If a name occurs twice, its first value counts.
struct Form<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Form<'a> {
    fn parse(body: &'a [u8]) -> Self {
        Self(form_urlencoded::parse(body).collect())
    }

    /// Returns the untrimmed value. NUL, which PostgreSQL can't store in text, becomes U+FFFD.
    fn raw(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.replace('\0', "\u{fffd}"))
    }

    /// Returns the trimmed value. An empty value counts as absent.
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
