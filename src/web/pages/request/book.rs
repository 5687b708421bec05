//! `POST /request/{id}/book`: choosing a provider without scripts. The answer leads back to the page.
//!
//! A form that is refused comes back as it was filled in, with what is wrong by each field. A preferred date in the past
//! is more often a slip than meant: the form comes back with a question, and its second sending counts. Nothing is
//! stored before that.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use nightshift_domain::calls;
use nightshift_domain::ids::ServiceRequestId;
use nightshift_domain::viewer::Viewer;
use serde::Deserialize;
use utoipa::ToSchema;

use super::form::Filled;
use super::viewer::viewer_for;
use super::{Back, Extra, render};
use crate::web::auth::Caller;
use crate::web::calls::schedule_call;
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

/// `POST /request/{id}/book`
pub(in crate::web::pages) async fn book(
    State(web): State<Web>,
    shell: Shell,
    caller: Caller,
    Path(id): Path<ServiceRequestId>,
    PageForm { form, typed }: PageForm<Booking>,
) -> Result<Response> {
    let viewer = viewer_for(&web, &caller, &id).map_err(|_| ApiError::not_found())?;
    let back = match start(&web, &caller, &viewer, &id, &form).await {
        Ok(true) => return Ok(back_with(&id, "started")),
        Ok(false) => Back { status: StatusCode::OK, typed, asks_about_past: true },
        Err(error) if tells_nothing(&error) => return Ok(back_with(&id, "failed")),
        Err(error) => Back { status: error.status, typed: typed.refused(&error)?, asks_about_past: false },
    };
    render(&web, shell, &caller, &id, &Extra::default(), Some(back)).await
}

fn back_with(id: &ServiceRequestId, notice: &str) -> Response {
    let id: String = form_urlencoded::byte_serialize(id.as_str().as_bytes()).collect();
    Redirect::to(&format!("/request/{id}?notice={notice}")).into_response()
}

/// Whether an error is the sender's and has no words for a visitor: no link and no button of the page leads to it.
fn tells_nothing(error: &ApiError) -> bool {
    let is_told = matches!(error.status, StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT);
    error.fields.contains_key("providerId") || (error.status.is_client_error() && !is_told)
}

/// Starts the call; false when the visitor is to be asked first.
async fn start(web: &Web, caller: &Caller, viewer: &Viewer, id: &ServiceRequestId, form: &Booking) -> Result<bool> {
    let new_call = form.filled.new_call(id);
    let org = calls::org_of_request(&web.db, viewer, id).await?;
    let mut tx = web.db.begin().await?;
    let past = calls::prefers_past(&mut tx, &org, &new_call, web.clock.now()).await?;
    if past.is_some() && form.past_is_meant != "yes" {
        return Ok(false);
    }
    // Its job is enqueued with it.
    let _ = schedule_call(web, caller, &mut tx, new_call).await?;
    tx.commit().await?;
    Ok(true)
}
