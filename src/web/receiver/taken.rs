//! A text that was found in its carrier's list, stored as the delivery that never came.

use nightshift_db::Moment;
use nightshift_domain::inbox::{Delivery, WebhookSource};
use nightshift_domain::messaging::numbers::SmsCarrier;
use nightshift_jobs::webhook::openphone_process::WebhookOpenphoneProcess;
use nightshift_jobs::webhook::twilio_inbound::WebhookTwilioInbound;
use nightshift_providers::inbound::InboundText;
use nightshift_providers::{openphone, twilio};
use serde_json::json;

use super::job_for::JobFor;
use super::store::Accepted;

impl Accepted {
    /// Returns what is stored for a text that `carrier` lists: the body that its webhook would have had, with the
    /// carrier's time, under the carrier's id of the text, and the same job. The carrier was asked with our credentials,
    /// so the text counts as verified. `arrived` is when it was found.
    #[must_use]
    pub fn from_list(carrier: SmsCarrier, text: &InboundText, request_id: &str, arrived: Moment) -> Self {
        let listed = text.clone();
        let (provider, payload, job) = match carrier {
            SmsCarrier::Openphone => {
                let job = JobFor::new(move |inbox| WebhookOpenphoneProcess::new(inbox, Some(&listed)));
                (WebhookSource::OpenPhone, openphone::received_event(text), job)
            }
            SmsCarrier::Twilio | SmsCarrier::Mock => {
                let job = JobFor::new(move |inbox| WebhookTwilioInbound::new(inbox, &listed));
                (WebhookSource::Twilio, twilio::inbound_form(text), job)
            }
        };
        let delivery = Delivery {
            provider,
            event_key: text.sid.clone(),
            event_type: Some("message.received".to_owned()),
            verified: true,
            headers: json!({"taken-from": "list"}),
            payload,
            request_id: request_id.to_owned(),
            arrived,
        };
        Self { delivery, job: Some(job) }
    }
}
