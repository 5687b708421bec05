//! Delivers signed events to a webhook URL as Stripe does, with retries.
//!
//! As with Stripe, each delivery of the same body has a new signature, every status except 2xx counts as a failed
//! delivery, and the JSON of a body is indented.

use std::time::Duration;

use chrono::Utc;
use nightshift_providers::http::innermost;
use nightshift_providers::stripe::signature;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// Pause after the first failed delivery. It doubles after each further one, up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(50);

const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Delivers events to one URL, signed with one secret.
#[derive(Debug, Clone)]
pub struct StripeSender {
    url: String,
    secret: SecretString,
    http: reqwest::Client,
}

/// The receiver's answer to a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryAnswer {
    pub status: u16,
    pub body: String,
}

/// The reason why an event was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// The receiver did not answer, for this reason.
    #[error("the webhook got no answer: {0}")]
    NoAnswer(String),
    /// No delivery succeeded in time.
    #[error("the webhook was not taken in time; last: {last}")]
    NotTaken {
        /// The result of the last delivery.
        last: String,
    },
}

impl DeliveryAnswer {
    /// Returns whether Stripe would count the event as delivered.
    #[must_use]
    pub fn taken(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl StripeSender {
    /// Creates a sender that delivers to `url` and signs with `secret`.
    #[must_use]
    pub fn new(url: impl Into<String>, secret: SecretString, http: reqwest::Client) -> Self {
        Self { url: url.into(), secret, http }
    }

    /// Delivers an event once, signed with the current time.
    ///
    /// # Errors
    /// [`DeliveryError::NoAnswer`].
    pub async fn deliver(&self, event: &Value) -> Result<DeliveryAnswer, DeliveryError> {
        let body = body_of(event);
        let header = signature::sign(&self.secret, Utc::now().timestamp(), &body);
        self.deliver_raw(body, Some(&header)).await
    }

    /// Delivers the same event twice in sequence, each time with a new signature.
    ///
    /// # Errors
    /// [`DeliveryError::NoAnswer`].
    pub async fn deliver_twice(&self, event: &Value) -> Result<[DeliveryAnswer; 2], DeliveryError> {
        Ok([self.deliver(event).await?, self.deliver(event).await?])
    }

    /// Delivers `second` and then `first`. The answers are in the order of the arguments.
    ///
    /// # Errors
    /// [`DeliveryError::NoAnswer`].
    pub async fn deliver_swapped(&self, first: &Value, second: &Value) -> Result<[DeliveryAnswer; 2], DeliveryError> {
        let of_second = self.deliver(second).await?;
        Ok([self.deliver(first).await?, of_second])
    }

    /// Delivers an event with retries until a delivery succeeds.
    ///
    /// # Errors
    /// [`DeliveryError::NotTaken`] if no delivery succeeds within `patience`.
    pub async fn deliver_until_taken(
        &self,
        event: &Value,
        patience: Duration,
    ) -> Result<DeliveryAnswer, DeliveryError> {
        let until = Instant::now() + patience;
        let mut pause = PAUSE;
        loop {
            let last = match self.deliver(event).await {
                Ok(answer) if answer.taken() => return Ok(answer),
                Ok(answer) => format!("HTTP {}", answer.status),
                Err(error) => error.to_string(),
            };
            if Instant::now() + pause >= until {
                return Err(DeliveryError::NotTaken { last });
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Delivers any body with any signature header, or without one, for deliveries that Stripe would never make.
    ///
    /// # Errors
    /// [`DeliveryError::NoAnswer`].
    pub async fn deliver_raw(&self, body: Vec<u8>, header: Option<&str>) -> Result<DeliveryAnswer, DeliveryError> {
        let mut request =
            self.http.post(&self.url).header("content-type", "application/json; charset=utf-8").body(body);
        if let Some(header) = header {
            request = request.header(signature::HEADER, header);
        }
        let no_answer = |e: reqwest::Error| DeliveryError::NoAnswer(innermost(&e));
        let answer = request.send().await.map_err(no_answer)?;
        let status = answer.status().as_u16();
        Ok(DeliveryAnswer { status, body: answer.text().await.map_err(no_answer)? })
    }
}

fn body_of(event: &Value) -> Vec<u8> {
    format!("{event:#}").into_bytes()
}

/// Returns a `payment_intent.succeeded` event in Stripe's format.
#[must_use]
pub fn payment_succeeded(
    event_id: &str,
    payment_intent_id: &str,
    booking_id: &str,
    amount_minor: i64,
    currency: &str,
) -> Value {
    let now = Utc::now().timestamp();
    json!({
        "id": event_id,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": now,
        "data": {
            "object": {
                "id": payment_intent_id,
                "object": "payment_intent",
                "amount": amount_minor,
                "amount_received": amount_minor,
                "created": now,
                "currency": currency,
                "livemode": false,
                "metadata": { "bookingId": booking_id },
                "status": "succeeded",
            }
        },
        "livemode": false,
        "pending_webhooks": 1,
        "request": { "id": null, "idempotency_key": null },
        "type": "payment_intent.succeeded",
    })
}
