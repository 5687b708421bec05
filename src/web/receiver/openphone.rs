//! OpenPhone's webhooks about texts. The response is 200 once the event is stored.

use axum::Json;
use nightshift_domain::inbox::{Recorded, WebhookSource};
use nightshift_jobs::webhook::openphone_process::WebhookOpenphoneProcess;
use nightshift_providers::SignatureError;
use nightshift_providers::openphone::{Event, Fact, signature};
use serde::Serialize;
use utoipa::ToSchema;

use super::sid::expect_sid;
use super::{Incoming, JobFor, Read, Secrets, Source, unreadable};
use crate::web::error::Result;
use crate::web::routes::Proof;
use crate::web::state::Web;

pub struct OpenPhone;

#[derive(Serialize, ToSchema)]
#[schema(as = OpenPhoneAnswer)]
pub struct Answer {
    received: bool,
}

impl Source for OpenPhone {
    const SOURCE: WebhookSource = WebhookSource::OpenPhone;
    const MEDIA_TYPE: &'static str = "application/json";
    const PROOFS: &'static [&'static [Proof]] =
        &[&[Proof::WebhookSignature, Proof::WebhookId, Proof::WebhookTimestamp], &[Proof::OpenPhone]];
    const INVALID: Option<&'static str> = Some("The id of the text is too long.");
    type Answer = Json<Answer>;

    fn verify(web: &Web, secrets: &Secrets<'_>, incoming: &Incoming) -> Result<(), SignatureError> {
        let proof = signature::Proof {
            id: incoming.header(signature::ID_HEADER),
            timestamp: incoming.header(signature::TIMESTAMP_HEADER),
            signature: incoming.header(signature::SIGNATURE_HEADER),
            legacy: incoming.header(signature::LEGACY_HEADER),
        };
        signature::verify(proof, &incoming.body, secrets.openphone, web.clock.now().to_datetime())
    }

    fn read(incoming: &Incoming) -> Result<Read<Self>> {
        let event = Event::parse(&incoming.body).map_err(|error| unreadable("an OpenPhone event", error))?;
        let text = match event.fact {
            Fact::Received(text) => {
                expect_sid(&text.sid, "data.object.id")?;
                Some(text)
            }
            Fact::Delivery { .. } | Fact::Other => None,
        };
        let job = JobFor::new(move |inbox| WebhookOpenphoneProcess::new(inbox, text.as_ref()));
        // Repeated deliveries share the event's id, and those of a current webhook its header, too.
        let event_key = event.id.or_else(|| delivery_id(incoming));
        Ok(Read { source: Self, event_key, event_type: event.kind, job: Some(job) })
    }

    async fn answer(self, _: &Web, _: &Recorded) -> Result<Json<Answer>> {
        Ok(Json(Answer { received: true }))
    }
}

/// Returns the id of the delivery, if its header holds one that can be a key.
fn delivery_id(incoming: &Incoming) -> Option<String> {
    let id = std::str::from_utf8(incoming.header(signature::ID_HEADER)?).ok()?.trim();
    (!id.is_empty()).then(|| id.to_owned())
}
