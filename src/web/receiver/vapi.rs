//! VAPI's reports about calls. The response is 200 once the report is stored.

use axum::Json;
use nightshift_domain::inbox::{Recorded, WebhookSource};
use nightshift_jobs::webhook::vapi_process::WebhookVapiProcess;
use nightshift_providers::SignatureError;
use nightshift_providers::vapi::{Report, signature};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Incoming, JobFor, Read, Secrets, Source, unreadable};
use crate::web::error::Result;
use crate::web::routes::Proof;
use crate::web::state::Web;

pub struct Vapi;

#[derive(Serialize, ToSchema)]
#[schema(as = VapiAnswer)]
pub struct Answer {
    received: bool,
}

impl Source for Vapi {
    const SOURCE: WebhookSource = WebhookSource::Vapi;
    const MEDIA_TYPE: &'static str = "application/json";
    const PROOFS: &'static [&'static [Proof]] =
        &[&[Proof::VapiSecret], &[Proof::VapiBearer], &[Proof::VapiSignature, Proof::VapiTimestamp]];
    type Answer = Json<Answer>;

    fn verify(web: &Web, secrets: &Secrets<'_>, incoming: &Incoming) -> Result<(), SignatureError> {
        let proof = signature::Proof {
            secret: incoming.header(signature::SECRET_HEADER),
            authorization: incoming.header("authorization"),
            signature: incoming.header(signature::SIGNATURE_HEADER),
            timestamp: incoming.header(signature::TIMESTAMP_HEADER),
        };
        signature::verify(proof, &incoming.body, secrets.vapi, web.clock.now().to_datetime())
    }

    fn read(incoming: &Incoming) -> Result<Read<Self>> {
        let report = Report::parse(&incoming.body).map_err(|error| unreadable("a VAPI report", error))?;
        let event_key = report.key();
        let call = report.call.map(|call| call.id).unwrap_or_default();
        let job = JobFor::new(move |inbox| WebhookVapiProcess::new(inbox, call.clone()));
        Ok(Read { source: Self, event_key, event_type: report.kind, job: Some(job) })
    }

    async fn answer(self, _: &Web, _: &Recorded) -> Result<Json<Answer>> {
        Ok(Json(Answer { received: true }))
    }
}
