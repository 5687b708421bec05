//! The forms that Twilio posts: status callbacks and inbound texts.
//!
//! Other parameters are ignored, because Twilio adds new ones without notice.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, SecondsFormat};

use super::status::MessageStatus;
use crate::inbound::{CarrierKeyword, InboundText, is_web_address};

/// Maximum number of media that Twilio attaches to a text.
const MEDIA_MAX: usize = 10;

/// Our own parameter, with the time at which Twilio received the text, in the form of a text that was taken in from
/// Twilio's list. Twilio sends no such parameter, and signs all parameters, so a signed form can't hold it.
const TAKEN_SENT_AT: &str = "NightshiftSentAt";

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

impl StatusCallback {
    /// Parses a form body. Some of Twilio's products send only the older names of the parameters, `SmsSid` and
    /// `SmsStatus`.
    ///
    /// # Errors
    /// [`WebhookError`] if `MessageSid` or `MessageStatus` is missing.
    pub fn parse(body: &[u8]) -> Result<Self, WebhookError> {
        let form = Form::parse(body);
        let either = |name, older| form.required(name).or_else(|error| form.text(older).ok_or(error));
        Ok(Self {
            message_sid: either("MessageSid", "SmsSid")?,
            status: MessageStatus::parse(&either("MessageStatus", "SmsStatus")?),
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

/// Parses the form of an inbound text. Twilio does not say when it received the text; [`inbound_form`] does.
///
/// # Errors
/// [`WebhookError`] if `MessageSid`, `From` or `To` is missing.
pub fn read_inbound(body: &[u8]) -> Result<InboundText, WebhookError> {
    let form = Form::parse(body);
    let media: Vec<String> = (0..MEDIA_MAX)
        .filter_map(|n| form.text(&format!("MediaUrl{n}")))
        .filter(|url| is_web_address(url))
        .collect();
    Ok(InboundText {
        sid: form.required("MessageSid")?,
        from: form.required("From")?,
        to: form.required("To")?,
        body: form.raw("Body").unwrap_or_default(),
        lacks_media: form
            .text("NumMedia")
            .and_then(|count| count.parse().ok())
            .is_some_and(|count| media.len() < count),
        media,
        keyword: match form.text("OptOutType").as_deref() {
            Some("STOP") => Some(CarrierKeyword::Stop),
            Some("START") => Some(CarrierKeyword::Start),
            Some("HELP") => Some(CarrierKeyword::Help),
            _ => None,
        },
        sent_at: form.text(TAKEN_SENT_AT).and_then(|at| Some(DateTime::parse_from_rfc3339(&at).ok()?.to_utc())),
    })
}

/// Returns the form that [`read_inbound`] reads as `text`: the one that Twilio would have posted, and the time at which
/// Twilio received the text.
#[must_use]
pub fn inbound_form(text: &InboundText) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("MessageSid", &text.sid)
        .append_pair("From", &text.from)
        .append_pair("To", &text.to)
        .append_pair("Body", &text.body)
        .append_pair("NumMedia", &(text.media.len() + usize::from(text.lacks_media)).to_string());
    for (n, url) in text.media.iter().enumerate() {
        form.append_pair(&format!("MediaUrl{n}"), url);
    }
    if let Some(at) = text.sent_at {
        form.append_pair(TAKEN_SENT_AT, &at.to_rfc3339_opts(SecondsFormat::Millis, true));
    }
    form.finish()
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
