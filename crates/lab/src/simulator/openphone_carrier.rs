//! The fake OpenPhone as people see it: a carrier that takes their texts and brings them texts.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc;

use super::inbound::{Arrival, Carrier, Delivery, InboundSpec, Reporting, TextReport};
use super::openphone::{FakeOpenPhone, NewText};
use super::openphone_events::OpenPhoneEvent;

impl Carrier for FakeOpenPhone {
    fn name(&self) -> &'static str {
        "openphone"
    }

    fn arrivals(&self) -> mpsc::UnboundedReceiver<Arrival> {
        self.listeners.listen()
    }

    /// OpenPhone says nothing about keywords, and does not act on them.
    fn receive(&self, spec: InboundSpec) -> Reporting<'_> {
        Box::pin(async move {
            let event = self.take_in(NewText {
                from: &spec.from,
                to: &spec.to,
                text: &spec.body,
                media: &spec.media_urls,
                id: spec.id.as_deref(),
                at: spec.at,
                incoming: true,
            });
            tokio::time::sleep(Duration::from_millis(spec.delay_ms)).await;
            let deliveries = if self.webhook().is_none() {
                Vec::new()
            } else if spec.at_once {
                join_all((0..spec.copies).map(|_| self.delivery(&event))).await
            } else {
                let mut deliveries = Vec::new();
                for _ in 0..spec.copies {
                    deliveries.push(self.delivery(&event).await);
                }
                deliveries
            };
            TextReport { id: event.message_id, deliveries }
        })
    }
}

impl FakeOpenPhone {
    async fn delivery(&self, event: &OpenPhoneEvent) -> Delivery {
        let (tries, answer) = self.deliver_with_retries(event).await;
        let answer = answer.ok();
        Delivery {
            at: self.now(),
            tries,
            http_status: answer.as_ref().map(|answer| answer.status),
            answer: answer.map(|answer| answer.body).unwrap_or_default(),
            warning: None,
        }
    }
}
