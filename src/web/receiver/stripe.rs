//! Stripe's webhook. Events of every type are stored. The response is 200 and says whether the event is a duplicate.

use axum::Json;
use nightshift_domain::inbox::{Recorded, WebhookSource};
use nightshift_jobs::webhook::stripe_process::WebhookStripeProcess;
use nightshift_providers::SignatureError;
use nightshift_providers::stripe::{Event, signature};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Incoming, JobFor, Read, Secrets, Source, unreadable};
use crate::web::error::Result;
use crate::web::routes::Proof;
use crate::web::state::Web;

pub struct Stripe;

#[derive(Serialize, ToSchema)]
#[schema(as = StripeAnswer)]
pub struct Answer {
    received: bool,
    /// Whether this event was stored before.
    duplicate: bool,
}

impl Source for Stripe {
    const SOURCE: WebhookSource = WebhookSource::Stripe;
    const MEDIA_TYPE: &'static str = "application/json";
    const PROOFS: &'static [&'static [Proof]] = &[&[Proof::Stripe]];
    type Answer = Json<Answer>;

    fn verify(web: &Web, secrets: &Secrets<'_>, incoming: &Incoming) -> Result<(), SignatureError> {
        let now = web.clock.now().to_datetime();
        signature::verify(incoming.header(signature::HEADER), &incoming.body, secrets.stripe, now).map(drop)
    }

    fn read(incoming: &Incoming) -> Result<Read<Self>> {
        let event = Event::parse(&incoming.body).map_err(|error| unreadable("a Stripe event", error))?;
        let job = JobFor::new(WebhookStripeProcess::new);
        Ok(Read { source: Self, event_key: event.id, event_type: event.kind, job: Some(job) })
    }

    async fn answer(self, _: &Web, recorded: &Recorded) -> Result<Json<Answer>> {
        Ok(Json(Answer { received: true, duplicate: !recorded.first }))
    }
}
