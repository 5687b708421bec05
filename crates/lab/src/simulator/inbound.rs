//! A text that a person sends to one of our numbers, and how its webhook reached us: the words that all simulated
//! carriers share.
//!
//! A [`Carrier`] receives such texts, and reports the texts that reached a person's phone.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// A text that a person sends, and how its webhook is to be delivered. As JSON:
/// `{"from":"+12125550123","to":"+12125550151","body":"YES","mediaUrls":[],"optOutType":"START","copies":2,"delayMs":500}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InboundSpec {
    /// The person's phone: a number in E.164 format, a short code or a name.
    pub from: String,
    /// Our number in E.164 format.
    pub to: String,
    #[serde(default)]
    pub body: String,
    /// Pictures that are stored elsewhere.
    #[serde(default)]
    pub media_urls: Vec<String>,
    /// Pictures that the simulator serves. Only Twilio has them.
    #[serde(skip)]
    pub pictures: Vec<Picture>,
    /// What the carrier says about a keyword: STOP, START or HELP. Only Twilio says it, and only if it is set here.
    #[serde(default)]
    pub opt_out_type: Option<String>,
    /// Number of deliveries of the webhook. 0 keeps the text in the carrier's list only.
    #[serde(default = "one")]
    pub copies: u32,
    /// Whether the deliveries happen at the same instant, rather than one after the other.
    #[serde(default)]
    pub at_once: bool,
    /// Milliseconds from the receipt of the text to its first delivery.
    #[serde(default)]
    pub delay_ms: u64,
    /// The carrier's id. `None` makes one.
    #[serde(default)]
    pub id: Option<String>,
    /// When the carrier received the text. `None` means now.
    #[serde(default)]
    pub at: Option<DateTime<Utc>>,
}

/// A picture that a person sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Such as `image/jpeg`.
    pub content_type: String,
    pub content: Vec<u8>,
}

/// A received text, as its carrier took it in, with the deliveries of its webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TextReport {
    /// The carrier's id of the text.
    pub id: String,
    pub deliveries: Vec<Delivery>,
}

/// One delivery of a webhook, with all its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The time at which the last attempt ended.
    pub at: DateTime<Utc>,
    /// Number of attempts.
    pub tries: u32,
    /// HTTP status of the answer to the last attempt. `None` if there was no answer.
    pub http_status: Option<u16>,
    /// Body of that answer.
    pub answer: String,
    /// What the carrier would complain about, as the code that Twilio uses.
    pub warning: Option<u32>,
}

/// A text that reached a person's phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The number that sent it.
    pub from: String,
    /// The person's phone.
    pub to: String,
    pub body: String,
}

/// The future of a delivered text.
pub type Reporting<'a> = Pin<Box<dyn Future<Output = TextReport> + Send + 'a>>;

/// A simulated carrier, as people see it.
pub trait Carrier: Send + Sync {
    /// Returns the name by which the control API chooses it.
    fn name(&self) -> &'static str;

    /// Returns the texts that reach people's phones from now on.
    fn arrivals(&self) -> mpsc::UnboundedReceiver<Arrival>;

    /// Takes in a text and delivers its webhook. The future completes after the last delivery.
    fn receive(&self, spec: InboundSpec) -> Reporting<'_>;
}

/// Who wants to know about texts that reach people's phones.
#[derive(Debug, Default)]
pub(super) struct Listeners(Mutex<Vec<mpsc::UnboundedSender<Arrival>>>);

impl Listeners {
    pub(super) fn listen(&self) -> mpsc::UnboundedReceiver<Arrival> {
        let (listener, arrivals) = mpsc::unbounded_channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
        arrivals
    }

    pub(super) fn tell(&self, arrival: &Arrival) {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| listener.send(arrival.clone()).is_ok());
    }
}

impl InboundSpec {
    /// Creates a text whose webhook is delivered once.
    #[must_use]
    pub fn new(from: impl Into<String>, to: impl Into<String>, body: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            body: body.into(),
            media_urls: Vec::new(),
            pictures: Vec::new(),
            opt_out_type: None,
            copies: one(),
            at_once: false,
            delay_ms: 0,
            id: None,
            at: None,
        }
    }

    /// Adds a picture that is stored elsewhere.
    #[must_use]
    pub fn media_url(mut self, url: impl Into<String>) -> Self {
        self.media_urls.push(url.into());
        self
    }

    /// Adds a picture that the simulator serves.
    #[must_use]
    pub fn picture(mut self, content_type: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        self.pictures.push(Picture { content_type: content_type.into(), content: content.into() });
        self
    }

    /// Has the carrier say that it recognised a keyword.
    #[must_use]
    pub fn opt_out_type(mut self, keyword: impl Into<String>) -> Self {
        self.opt_out_type = Some(keyword.into());
        self
    }

    /// Sets the number of deliveries, which follow each other.
    #[must_use]
    pub fn copies(mut self, copies: u32) -> Self {
        self.copies = copies;
        self
    }

    /// Sets the number of deliveries, which happen at the same instant.
    #[must_use]
    pub fn at_once(mut self, copies: u32) -> Self {
        (self.copies, self.at_once) = (copies, true);
        self
    }

    /// Delivers the webhook this long after the carrier received the text.
    #[must_use]
    pub fn late(mut self, delay: Duration) -> Self {
        self.delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Sets the carrier's id of the text.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the time at which the carrier received the text.
    #[must_use]
    pub fn at(mut self, at: DateTime<Utc>) -> Self {
        self.at = Some(at);
        self
    }
}

impl TextReport {
    /// Returns the answer to the first delivery that was answered with 2xx.
    #[must_use]
    pub fn answer(&self) -> Option<&str> {
        self.deliveries.iter().find(|delivery| delivery.taken()).map(|delivery| delivery.answer.as_str())
    }
}

impl Delivery {
    /// Returns whether the receiver took the text.
    #[must_use]
    pub fn taken(&self) -> bool {
        self.http_status.is_some_and(|status| (200..300).contains(&status))
    }
}

const fn one() -> u32 {
    1
}
