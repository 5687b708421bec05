//! Twilio's delivery reports for texts. The response is 200 with an empty body.

use nightshift_domain::inbox::{Recorded, WebhookSource};
use nightshift_jobs::webhook::twilio_status::WebhookTwilioStatus;
use nightshift_providers::SignatureError;
use nightshift_providers::twilio::StatusCallback;

use super::sid::is_sid;
use super::twilio::{FORM, verify_signature};
use super::{Incoming, JobFor, Read, Secrets, Source};
use crate::web::error::Result;
use crate::web::routes::{Empty, Proof};
use crate::web::state::Web;

pub struct TwilioStatus;

impl Source for TwilioStatus {
    const SOURCE: WebhookSource = WebhookSource::TwilioStatus;
    const MEDIA_TYPE: &'static str = FORM;
    const PROOFS: &'static [&'static [Proof]] = &[&[Proof::Twilio]];
    type Answer = Empty;

    fn verify(web: &Web, secrets: &Secrets<'_>, incoming: &Incoming) -> Result<(), SignatureError> {
        verify_signature(web, secrets, incoming)
    }

    /// A report that can't be parsed, or is about no text that can be ours, is stored too, because Twilio would retry
    /// after an error. Its job records why it is ignored.
    fn read(incoming: &Incoming) -> Result<Read<Self>> {
        let report = StatusCallback::parse(&incoming.body).ok().filter(|report| is_sid(&report.message_sid));
        let event_key = report.as_ref().map(StatusCallback::key);
        let event_type = report.as_ref().map(|report| report.status.to_string());
        let sid = report.map(|report| report.message_sid).unwrap_or_default();
        let job = JobFor::new(move |inbox| WebhookTwilioStatus::new(inbox, sid.clone()));
        Ok(Read { source: Self, event_key, event_type, job: Some(job) })
    }

    async fn answer(self, _: &Web, _: &Recorded) -> Result<Empty> {
        Ok(Empty)
    }
}
