//! Texts that Twilio received for our numbers. The response is TwiML.

use nightshift_domain::inbox::{Recorded, WebhookSource};
use nightshift_domain::offers;
use nightshift_jobs::webhook::twilio_inbound::WebhookTwilioInbound;
use nightshift_providers::SignatureError;
use nightshift_providers::twilio::read_inbound;
use tokio::time::Instant;

use super::reply::Twiml;
use super::sid::expect_sid;
use super::twilio::{FORM, verify_signature};
use super::{Incoming, JobFor, Read, Secrets, Source};
use crate::web::error::{ApiError, Result};
use crate::web::routes::Proof;
use crate::web::state::Web;

pub struct TwilioInbound {
    /// Whether the sender expects a reply at once.
    answers_an_offer: bool,
    arrived: Instant,
}

impl Source for TwilioInbound {
    const SOURCE: WebhookSource = WebhookSource::Twilio;
    const MEDIA_TYPE: &'static str = FORM;
    const PROOFS: &'static [&'static [Proof]] = &[&[Proof::Twilio]];
    const INVALID: Option<&'static str> = Some("`MessageSid`, `From` or `To` is missing, or `MessageSid` is too long.");
    type Answer = Twiml;

    fn verify(web: &Web, secrets: &Secrets<'_>, incoming: &Incoming) -> Result<(), SignatureError> {
        verify_signature(web, secrets, incoming)
    }

    fn read(incoming: &Incoming) -> Result<Read<Self>> {
        let text = read_inbound(&incoming.body).map_err(|error| ApiError::invalid(error.parameter(), "is required"))?;
        expect_sid(&text.sid, "MessageSid")?;
        let source = Self { answers_an_offer: offers::command(&text.body).is_some(), arrived: Instant::now() };
        let event_key = Some(text.sid.clone());
        let job = JobFor::new(move |inbox| WebhookTwilioInbound::new(inbox, &text));
        Ok(Read { source, event_key, event_type: Some("message.received".to_owned()), job: Some(job) })
    }

    async fn answer(self, web: &Web, recorded: &Recorded) -> Result<Twiml> {
        if !self.answers_an_offer {
            return Ok(Twiml::empty());
        }
        Ok(Twiml::with_reply(web, recorded, self.arrived).await)
    }
}
