//! `POST /request/{id}/book`: choosing a provider without scripts. The answer leads back to the page.
//!
//! A preferred date in the past is more often a slip than meant: the form comes back as it was filled in, with a
//! question, and its second sending counts. Nothing is stored before that.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use nightshift_domain::calls::{self, Schedule};
use nightshift_domain::ids::{ProviderId, RequestId};
use nightshift_domain::viewer::Viewer;
use serde::Deserialize;
use utoipa::ToSchema;

use super::kit::{PageForm, Shell};
use super::request::{Extra, render, viewer_for};
use crate::web::api::calls::store_wish;
use crate::web::auth::Caller;
use crate::web::error::{ApiError, Result};
use crate::web::path::Path;
use crate::web::state::Web;

/// The form of a provider's card.
#[derive(Deserialize, ToSchema)]
#[schema(as = BookForm)]
#[serde(rename_all = "camelCase")]
pub(super) struct Booking {
    /// `yes` when the visitor was asked about a date in the past and means it.
    #[serde(default)]
    past_is_meant: String,
    #[serde(flatten)]
    filled: Asked,
}

/// What a visitor filled in.
#[derive(Deserialize, ToSchema)]
#[schema(as = BookFormFields)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    provider_id: String,
    #[serde(default, rename = "preferredDate")]
    pub(super) date: String,
    #[serde(default, rename = "preferredTime")]
    pub(super) time: String,
    #[serde(default, rename = "customerName")]
    pub(super) name: String,
    #[serde(default, rename = "customerPhone")]
    pub(super) phone: String,
}

impl Asked {
    /// Whether it was filled into this provider's form.
    pub(super) fn is_of(&self, provider: &ProviderId) -> bool {
        self.provider_id == provider.as_str()
    }

    fn wish(&self, request: &RequestId) -> Schedule {
        let filled = |text: &String| Some(text.clone()).filter(|text| !text.trim().is_empty());
        Schedule {
            service_request_id: Some(request.to_string()),
            provider_id: Some(self.provider_id.clone()),
            preferred_date: filled(&self.date),
            preferred_time: filled(&self.time),
            customer_name: filled(&self.name),
            customer_phone: filled(&self.phone),
            ..Schedule::default()
        }
    }
}

/// `POST /request/{id}/book`
pub(super) async fn book(
    State(web): State<Web>,
    shell: Shell,
    caller: Caller,
    Path(id): Path<RequestId>,
    PageForm { form, .. }: PageForm<Booking>,
) -> Result<Response> {
    let viewer = viewer_for(&web, &caller, &id).map_err(|_| ApiError::not_found())?;
    let notice = match start(&web, &caller, &viewer, &id, &form).await {
        Ok(true) => "started",
        Ok(false) => return render(&web, &caller, &id, &Extra::default(), shell.csrf, Some(&form.filled)).await,
        Err(error) if error.status.is_client_error() => "failed",
        Err(error) => return Err(error),
    };
    Ok(Redirect::to(&format!("/request/{id}?notice={notice}")).into_response())
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
