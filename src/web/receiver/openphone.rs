//! OpenPhone's webhooks about texts. The response is 200 once the event is stored.

use axum::Json;
use nightshift_domain::inbox::{Recorded, WebhookSource};
use nightshift_jobs::webhook::openphone_process::WebhookOpenphoneProcess;
use nightshift_providers::SignatureError;
use nightshift_providers::openphone::{Event, Fact};
use serde::Serialize;
use utoipa::ToSchema;

use super::sender::group_of;
use super::{Incoming, JobFor, Read, Source, unreadable};
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
    const PROOFS: &'static [&'static [Proof]] = &[&[Proof::OpenPhone]];
    type Answer = Json<Answer>;

    fn verify(_: &Web, _: &Incoming) -> Result<(), SignatureError> {
        Err(SignatureError::NotConfigured)
    }

    fn read(incoming: &Incoming) -> Result<Read<Self>> {
        let event = Event::parse(&incoming.body).map_err(|error| unreadable("an OpenPhone event", error))?;
        let from = match &event.fact {
            Fact::Received(text) => group_of(text),
            Fact::Delivery { .. } | Fact::Other => None,
        };
        let job = JobFor::new(move |inbox| WebhookOpenphoneProcess::new(inbox, from.clone()));
        Ok(Read { source: Self, event_key: event.id, event_type: event.kind, job: Some(job) })
    }

    async fn answer(self, _: &Web, _: &Recorded) -> Result<Json<Answer>> {
        Ok(Json(Answer { received: true }))
    }
}
