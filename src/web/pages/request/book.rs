//! `POST /request/{id}/book`: choosing a provider without scripts. The answer leads back to the page.
//!
//! A form that is refused comes back as it was filled in, with what is wrong by each field. A preferred date in the past
//! is more often a slip than meant: the form comes back with a question, and its second sending counts. Nothing is
//! stored before that.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use nightshift_domain::calls::{self, RequestView, Schedule};
use nightshift_domain::ids::RequestId;
use nightshift_domain::viewer::Viewer;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Extra, render, viewer_for};
use crate::web::api::calls::store_wish;
use crate::web::auth::Caller;
use crate::web::error::{ApiError, Result};
use crate::web::pages::kit::{PageForm, Shell};
use crate::web::path::Path;
use crate::web::state::Web;

/// The form as it is sent.
#[derive(Deserialize, ToSchema)]
#[schema(as = BookForm)]
#[serde(rename_all = "camelCase")]
pub(in crate::web::pages) struct Booking {
    /// `yes` when the visitor was asked about a date in the past and means it.
    #[serde(default)]
    past_is_meant: String,
    #[serde(flatten)]
    filled: Filled,
}

/// What a visitor filled in.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = BookFormFields)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filled {
    pub(super) provider_id: String,
    #[serde(default)]
    pub(super) preferred_date: String,
    #[serde(default)]
    pub(super) preferred_time: String,
    #[serde(default)]
    pub(super) customer_name: String,
    #[serde(default)]
    pub(super) customer_phone: String,
}

impl Filled {
    fn wish(&self, request: &RequestId) -> Schedule {
        let filled = |text: &String| Some(text.clone()).filter(|text| !text.trim().is_empty());
        Schedule {
            service_request_id: Some(request.to_string()),
            provider_id: Some(self.provider_id.clone()),
            preferred_date: filled(&self.preferred_date),
            preferred_time: filled(&self.preferred_time),
            customer_name: filled(&self.customer_name),
            customer_phone: filled(&self.customer_phone),
            ..Schedule::default()
        }
    }
}

/// The form as the page shows it.
pub(super) struct Shown {
    pub(super) filled: Filled,
    /// What is wrong, by field.
    pub(super) wrong: BTreeMap<String, String>,
    pub(super) asks_about_past: bool,
}

impl Shown {
    /// A new form, for the provider of this id.
    pub(super) fn new(request: &RequestView, provider_id: Option<&str>) -> Self {
        let filled = Filled {
            provider_id: provider_id.unwrap_or_default().to_owned(),
            customer_name: request.contact_name.clone().unwrap_or_default(),
            customer_phone: request.user_phone.clone().unwrap_or_default(),
            ..Filled::default()
        };
        Self { filled, wrong: BTreeMap::new(), asks_about_past: false }
    }

    /// What is wrong with a field.
    pub(super) fn wrong(&self, field: &str) -> Option<&str> {
        self.wrong.get(field).map(String::as_str)
    }
}

/// `POST /request/{id}/book`
pub(in crate::web::pages) async fn book(
    State(web): State<Web>,
    shell: Shell,
    caller: Caller,
    Path(id): Path<RequestId>,
    PageForm { form, .. }: PageForm<Booking>,
) -> Result<Response> {
    let viewer = viewer_for(&web, &caller, &id).map_err(|_| ApiError::not_found())?;
    let (wrong, asks_about_past) = match start(&web, &caller, &viewer, &id, &form).await {
        Ok(true) => return Ok(back(&id, "started")),
        Ok(false) => (BTreeMap::new(), true),
        Err(error) if !error.fields.is_empty() && !error.fields.contains_key("providerId") => (error.fields, false),
        Err(error) if error.status.is_client_error() => return Ok(back(&id, "failed")),
        Err(error) => return Err(error),
    };
    let shown = Shown { filled: form.filled, wrong, asks_about_past };
    render(&web, shell, &caller, &id, &Extra::default(), Some(shown)).await
}

fn back(id: &RequestId, notice: &str) -> Response {
    Redirect::to(&format!("/request/{id}?notice={notice}")).into_response()
}

/// Starts the call; false when the visitor is to be asked first.
async fn start(web: &Web, caller: &Caller, viewer: &Viewer, id: &RequestId, form: &Booking) -> Result<bool> {
    let wish = form.filled.wish(id);
    let org = calls::org_of_request(&web.db, viewer, id).await?;
    let mut tx = web.db.begin().await?;
    let past = calls::prefers_past(&mut tx, &org, &wish, web.clock.now()).await?;
    if past.is_some() && form.past_is_meant != "yes" {
        return Ok(false);
    }
    // Its job is enqueued with it.
    let _ = store_wish(web, caller, &mut tx, wish).await?;
    tx.commit().await?;
    Ok(true)
}
