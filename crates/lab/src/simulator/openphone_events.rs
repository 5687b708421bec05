//! Webhooks of the fake OpenPhone, signed as those of their generation, and inbound texts.

use std::sync::Arc;
use std::time::Duration;

use nightshift_providers::http::innermost;
use nightshift_providers::openphone::sign::{sign_legacy, sign_standard};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::sleep;
use uuid::Uuid;

use super::faults::Fault;
use super::inbound::Arrival;
use super::openphone::{FakeOpenPhone, NewText};
use super::openphone_account::OpenPhoneShape;
use super::openphone_ledger::OpenPhoneMessage;
use super::openphone_wire;
use super::stripe::{DeliveryAnswer, DeliveryError};

/// Maximum number of attempts to deliver a webhook.
const ATTEMPTS_MAX: u32 = 8;
/// Pause before the second attempt. It doubles after each further one.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// An event about a message, which can be delivered any number of times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPhoneEvent {
    /// `EV` followed by 32 hex digits.
    pub id: String,
    /// The id of the message.
    pub message_id: String,
    /// The JSON as it is sent.
    pub body: String,
    pub shape: OpenPhoneShape,
}

/// The status changes of a sent message, and the webhooks about them.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) before_answer: bool,
    /// The last status. `None` if the message stays queued.
    ends: Option<&'static str>,
    webhooks: usize,
}

impl Plan {
    pub(super) fn of(fault: Option<Fault>) -> Self {
        let ends = match fault {
            Some(Fault::StaysQueued) => None,
            Some(Fault::Undelivered) => Some("undelivered"),
            Some(Fault::Failed) => Some("failed"),
            _ => Some("delivered"),
        };
        let webhooks = match fault {
            Some(Fault::CallbacksNone) => 0,
            Some(Fault::CallbacksDoubled) => 2,
            _ => 1,
        };
        Self { before_answer: fault == Some(Fault::CallbacksBeforeAnswer), ends, webhooks }
    }
}

/// Changes the status of a sent message and delivers the webhooks: before it returns if the plan says so, otherwise in a
/// background task.
pub(super) async fn follow(openphone: &Arc<FakeOpenPhone>, message: &OpenPhoneMessage, plan: Plan) {
    if plan.before_answer {
        return end(openphone, &message.id, &plan).await;
    }
    let (openphone, id) = (openphone.clone(), message.id.clone());
    openphone.tasks.clone().spawn(async move {
        let ended = async {
            sleep(openphone.account.delivery_delay).await;
            end(&openphone, &id, &plan).await;
        };
        openphone.stop.run_until_cancelled(ended).await;
    });
}

async fn end(openphone: &FakeOpenPhone, id: &str, plan: &Plan) {
    let Some(status) = plan.ends else { return };
    openphone.change(|ledger| {
        if let Some(message) = ledger.message_mut(id) {
            status.clone_into(&mut message.status);
        }
    });
    if status == "delivered"
        && let Some(message) = openphone.read(|ledger| ledger.message(id).cloned())
    {
        openphone.listeners.tell(&Arrival { from: message.from, to: message.to, body: message.text });
    }
    let Some(event) = openphone.event(id, &format!("message.{status}")) else { return };
    // Webhooks of the legacy generations report only success.
    if status != "delivered" && event.shape != OpenPhoneShape::Current {
        return;
    }
    for _ in 0..plan.webhooks {
        // The ledger keeps the answers.
        let _ = openphone.deliver_with_retries(&event).await;
    }
}

impl FakeOpenPhone {
    /// Somebody sends a text to one of the workspace's numbers. It is listed, and its `message.received` is delivered once.
    ///
    /// # Errors
    /// [`DeliveryError::NoAnswer`] if the receiver does not answer, or no webhook is set.
    pub async fn receive(
        &self,
        from: &str,
        to: &str,
        text: &str,
        media: &[&str],
    ) -> Result<(OpenPhoneEvent, DeliveryAnswer), DeliveryError> {
        let event = self.receive_unreported(from, to, text, media);
        let answer = self.deliver(&event).await?;
        Ok((event, answer))
    }

    /// Somebody sends a text to one of the workspace's numbers. It is listed, and its event is left to the caller, who may
    /// deliver it late, twice or never.
    pub fn receive_unreported(&self, from: &str, to: &str, text: &str, media: &[&str]) -> OpenPhoneEvent {
        let media: Vec<_> = media.iter().map(|url| (*url).to_owned()).collect();
        self.take_in(NewText { from, to, text, media: &media, ..NewText::default() })
    }

    /// Takes in a text of a person. Returns its event.
    pub(super) fn take_in(&self, text: NewText<'_>) -> OpenPhoneEvent {
        let message = self.store(NewText { incoming: true, ..text }, None);
        self.event_of(&message, "message.received")
    }

    /// Returns a new event about a message, such as `message.delivered`. `None` if there is no such message.
    #[must_use]
    pub fn event(&self, message_id: &str, kind: &str) -> Option<OpenPhoneEvent> {
        let message = self.read(|ledger| ledger.message(message_id).cloned())?;
        Some(self.event_of(&message, kind))
    }

    fn event_of(&self, message: &OpenPhoneMessage, kind: &str) -> OpenPhoneEvent {
        let shape = self.webhook().map(|webhook| webhook.shape).unwrap_or_default();
        let id = format!("EV{}", Uuid::new_v4().simple());
        let body = openphone_wire::event(shape, &id, kind, message, self.now()).to_string();
        OpenPhoneEvent { id, message_id: message.id.clone(), body, shape }
    }

    /// Delivers an event once, signed with the simulator's time.
    ///
    /// # Errors
    /// [`DeliveryError::NoAnswer`] if the receiver does not answer, or no webhook is set.
    pub async fn deliver(&self, event: &OpenPhoneEvent) -> Result<DeliveryAnswer, DeliveryError> {
        let answer = self.post(event).await;
        let status = answer.as_ref().ok().map(|answer| answer.status);
        self.change(|ledger| {
            if let Some(message) = ledger.message_mut(&event.message_id) {
                message.webhooks.push(status);
            }
        });
        answer
    }

    /// Delivers an event until it is taken, with growing pauses, far shorter than OpenPhone's. Returns the number of
    /// attempts and the last answer.
    pub(super) async fn deliver_with_retries(
        &self,
        event: &OpenPhoneEvent,
    ) -> (u32, Result<DeliveryAnswer, DeliveryError>) {
        let mut pause = RETRY_PAUSE;
        let mut tries = 1;
        loop {
            let answer = self.deliver(event).await;
            if tries == ATTEMPTS_MAX || answer.as_ref().is_ok_and(DeliveryAnswer::taken) {
                return (tries, answer);
            }
            sleep(pause).await;
            pause *= 2;
            tries += 1;
        }
    }

    async fn post(&self, event: &OpenPhoneEvent) -> Result<DeliveryAnswer, DeliveryError> {
        let webhook = self.webhook().ok_or_else(|| DeliveryError::NoAnswer("no webhook is set".to_owned()))?;
        let mut request = self.http.post(&webhook.url).header("content-type", "application/json");
        for (name, value) in self.signatures(event) {
            request = request.header(name, value);
        }
        let no_answer = |e: reqwest::Error| DeliveryError::NoAnswer(innermost(&e));
        let answer = request.body(event.body.clone()).send().await.map_err(no_answer)?;
        let status = answer.status().as_u16();
        Ok(DeliveryAnswer { status, body: answer.text().await.map_err(no_answer)? })
    }

    /// Returns the headers that sign an event at this time, with a signature by each key of its generation.
    #[must_use]
    pub fn signatures(&self, event: &OpenPhoneEvent) -> Vec<(&'static str, String)> {
        let now = self.now();
        let is_current = event.shape == OpenPhoneShape::Current;
        let of_its_generation = |secret: &&SecretString| secret.expose_secret().starts_with("whsec_") == is_current;
        let secrets = self.account.webhook_secrets.iter().filter(of_its_generation);
        let body = event.body.as_bytes();
        if is_current {
            let signatures: Vec<_> =
                secrets.map(|secret| sign_standard(secret, &event.id, now.timestamp(), body)).collect();
            return vec![
                ("webhook-id", event.id.clone()),
                ("webhook-timestamp", now.timestamp().to_string()),
                ("webhook-signature", signatures.join(" ")),
            ];
        }
        let signatures: Vec<_> = secrets.map(|secret| sign_legacy(secret, now.timestamp_millis(), body)).collect();
        vec![("openphone-signature", signatures.join(","))]
    }
}
