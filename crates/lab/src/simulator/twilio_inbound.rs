//! Texts from people to the fake Twilio: it takes them in, posts the signed webhook with every parameter that Twilio
//! sends, and acts on the TwiML in the answer.
//!
//! A text is listed from the moment at which it was taken in, whatever happens to its webhook. Twilio gives up on a
//! webhook after 15 s.

use std::time::Duration;

use form_urlencoded::Serializer;
use nightshift_providers::twilio::MessageStatus;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::inbound::{Arrival, Carrier, Delivery, InboundSpec, Picture, Reporting, TextReport};
use super::ledger::{Content, Direction, ReceivedText, StoredMedia, StoredMessage};
use super::segments::segments;
use super::twilio::FakeTwilio;
use super::twiml::{replies, warning};
use super::webhook_post::post;

/// The media type of pictures that are stored elsewhere.
const ELSEWHERE: &str = "image/jpeg";

impl FakeTwilio {
    /// Takes in a text from a person and delivers its webhook, as often as `spec` says. Returns after the last delivery.
    pub async fn receive(&self, spec: InboundSpec) -> TextReport {
        let (copies, at_once, delay) = (spec.copies, spec.at_once, spec.delay_ms);
        let text = self.take_in(spec);
        tokio::time::sleep(Duration::from_millis(delay)).await;
        let deliveries = if at_once {
            let copies = (0..copies).map(|_| self.deliver(&text));
            futures_util::future::join_all(copies).await.into_iter().flatten().collect()
        } else {
            let mut deliveries = Vec::new();
            for _ in 0..copies {
                deliveries.extend(self.deliver(&text).await);
            }
            deliveries
        };
        TextReport { id: text.message.sid, deliveries }
    }

    /// Takes in a text and never delivers it, as after an outage of the webhook's receiver. Returns its SID.
    pub fn receive_unreported(&self, spec: InboundSpec) -> String {
        self.take_in(spec).message.sid
    }

    /// Takes in two texts in this order, and delivers the second one first. The reports are in the order of the
    /// arguments.
    pub async fn receive_swapped(&self, first: InboundSpec, second: InboundSpec) -> [TextReport; 2] {
        let [first, second] = [first, second].map(|spec| self.take_in(spec));
        let of_second = self.deliver(&second).await;
        let of_first = self.deliver(&first).await;
        [(first, of_first), (second, of_second)]
            .map(|(text, delivery)| TextReport { id: text.message.sid, deliveries: delivery.into_iter().collect() })
    }

    /// Delivers the webhook of a text again. `None` if there is no such text or no URL for webhooks.
    pub async fn redeliver(&self, sid: &str) -> Option<Delivery> {
        let text = self.read(|ledger| ledger.received().iter().find(|text| text.message.sid == sid).cloned())?;
        self.deliver(&text).await
    }

    fn take_in(&self, spec: InboundSpec) -> ReceivedText {
        let at = spec.at.unwrap_or_else(self.account.now);
        let elsewhere = spec.media_urls.into_iter().map(|url| (ELSEWHERE.to_owned(), Content::Elsewhere(url)));
        let here =
            spec.pictures.into_iter().map(|Picture { content_type, content }| (content_type, Content::Here(content)));
        let media: Vec<_> = elsewhere
            .chain(here)
            .map(|(content_type, content)| StoredMedia { sid: new_sid("ME"), content_type, content })
            .collect();
        let message = StoredMessage {
            sid: spec.id.unwrap_or_else(|| new_sid(if media.is_empty() { "SM" } else { "MM" })),
            direction: Direction::Inbound,
            from: spec.from,
            to: spec.to,
            body: spec.body,
            status: MessageStatus::Received,
            error_code: None,
            at,
            sent_at: Some(at),
            message_intent: None,
            status_callback: None,
            callbacks: Vec::new(),
            deleted: false,
            media,
        };
        let text = ReceivedText { message, opt_out_type: spec.opt_out_type, deliveries: Vec::new(), answered: false };
        self.change(|ledger| ledger.receive(text.clone()));
        text
    }

    /// Posts the webhook once, with retries. `None` if there is no URL.
    async fn deliver(&self, text: &ReceivedText) -> Option<Delivery> {
        let posted = post(self, &self.inbound_slots, &self.inbound_url()?, &self.form(text)).await;
        let read = match posted.http_status {
            Some(200..300) => replies(posted.media_type.as_deref(), &posted.body),
            _ => Err(warning::NO_ANSWER),
        };
        let mut delivery = Delivery {
            at: (self.account.now)(),
            tries: posted.tries,
            http_status: posted.http_status,
            answer: posted.body,
            warning: read.as_ref().err().copied(),
        };
        if let Ok(replies) = read {
            delivery.warning = self.answer(text, replies);
        }
        self.change(|ledger| {
            if let Some(stored) = ledger.received_mut(&text.message.sid) {
                stored.deliveries.push(delivery.clone());
            }
        });
        Some(delivery)
    }

    /// Sends the replies to the person, if no delivery of this text was answered before. Returns a warning if the
    /// person has opted out.
    fn answer(&self, text: &ReceivedText, replies: Vec<String>) -> Option<u32> {
        let StoredMessage { sid, from: person, to: number, .. } = &text.message;
        let now = (self.account.now)();
        let sent = self.change(|ledger| {
            let stored = ledger.received_mut(sid)?;
            if std::mem::replace(&mut stored.answered, true) {
                return None;
            }
            if ledger.blocks(number, person) {
                return Some(Vec::new());
            }
            for body in &replies {
                ledger.store(StoredMessage {
                    sid: new_sid("SM"),
                    direction: Direction::OutboundReply,
                    from: number.clone(),
                    to: person.clone(),
                    body: body.clone(),
                    status: MessageStatus::Delivered,
                    error_code: None,
                    at: now,
                    sent_at: Some(now),
                    message_intent: None,
                    status_callback: None,
                    callbacks: Vec::new(),
                    deleted: false,
                    media: Vec::new(),
                });
            }
            Some(replies.clone())
        })?;
        let refused = sent.len() < replies.len();
        for body in sent {
            self.listeners.tell(&Arrival { from: number.clone(), to: person.clone(), body });
        }
        refused.then_some(21610)
    }

    /// Returns the webhook's form with all parameters that Twilio sends.
    fn form(&self, text: &ReceivedText) -> String {
        let message = &text.message;
        let mut form = Serializer::new(String::new());
        for (side, number) in [("To", &message.to), ("From", &message.from)] {
            let [country, state, city, zip] = place_of(number);
            form.append_pair(&format!("{side}Country"), country)
                .append_pair(&format!("{side}State"), state)
                .append_pair(&format!("{side}City"), city)
                .append_pair(&format!("{side}Zip"), zip);
        }
        form.append_pair("SmsMessageSid", &message.sid)
            .append_pair("NumMedia", &message.media.len().to_string())
            .append_pair("SmsSid", &message.sid)
            .append_pair("SmsStatus", MessageStatus::Received.as_str())
            .append_pair("Body", &message.body)
            .append_pair("To", &message.to)
            .append_pair("NumSegments", &segments(&message.body).to_string())
            .append_pair("MessageSid", &message.sid)
            .append_pair("AccountSid", &self.account.account_sid)
            .append_pair("From", &message.from)
            .append_pair("ApiVersion", "2010-04-01");
        for (n, media) in message.media.iter().enumerate() {
            form.append_pair(&format!("MediaContentType{n}"), &media.content_type)
                .append_pair(&format!("MediaUrl{n}"), &self.media_url(&message.sid, media));
        }
        if let Some(keyword) = &text.opt_out_type {
            // Only a messaging service says so.
            form.append_pair("MessagingServiceSid", "MG5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a")
                .append_pair("OptOutType", keyword);
        }
        form.finish()
    }

    fn media_url(&self, message: &str, media: &StoredMedia) -> String {
        match &media.content {
            Content::Elsewhere(url) => url.clone(),
            Content::Here(_) => format!(
                "{}/2010-04-01/Accounts/{}/Messages/{message}/Media/{}",
                self.base_url, self.account.account_sid, media.sid
            ),
        }
    }
}

impl Carrier for FakeTwilio {
    fn name(&self) -> &'static str {
        "twilio"
    }

    fn arrivals(&self) -> mpsc::UnboundedReceiver<Arrival> {
        self.listeners.listen()
    }

    fn receive(&self, spec: InboundSpec) -> Reporting<'_> {
        Box::pin(FakeTwilio::receive(self, spec))
    }
}

fn new_sid(prefix: &str) -> String {
    format!("{prefix}{}", Uuid::new_v4().simple())
}

/// Returns country, state, city and ZIP code of a number. Twilio knows the last three in the US only.
fn place_of(number: &str) -> [&'static str; 4] {
    match number {
        _ if number.starts_with("+1") => ["US", "CA", "SAN FRANCISCO", "94105"],
        _ if number.starts_with("+44") => ["GB", "", "", ""],
        _ => [""; 4],
    }
}
