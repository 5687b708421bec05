//! `/request/{id}`: the page of a service request for its client, from the choice of a provider to the confirmation.

pub(super) mod appointment;
pub(super) mod book;
mod form;
mod status;
mod viewer;

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use nightshift_domain::calls::{
    self, CallMode, CallStatus, ServiceProviderView, ServiceRequestStatus, ServiceRequestView,
};
use nightshift_domain::ids::ServiceRequestId;
use nightshift_domain::stream;
use nightshift_domain::viewer::Reach;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use self::appointment::Appointment;
use self::form::Form;
use self::status::{CallStep, LiveStatus};
use self::viewer::viewer_for;
use super::kit::{Query, Shell, Typed, page_or_block};
use crate::web::auth::{Caller, Principal, link};
use crate::web::calls::with_polls;
use crate::web::error::{ApiError, Result};
use crate::web::path::Path;
use crate::web::state::Web;

/// The query parameters of the page.
#[derive(Default, Deserialize, IntoParams, ToSchema)]
#[schema(as = RequestPageQuery)]
pub(super) struct Extra {
    /// The link's token.
    t: Option<String>,
    /// `now` for the live part alone.
    fragment: Option<String>,
    /// The outcome of a form that was sent.
    notice: Option<String>,
    /// The id of a provider. The page opens the form that books it.
    book: Option<String>,
}

#[derive(Template)]
#[template(path = "request.html", blocks = ["now"])]
struct Page<'a> {
    shell: Shell,
    request: &'a ServiceRequestView,
    providers: &'a [ServiceProviderView],
    status: LiveStatus,
    /// The sequence number of the last event before the page was read.
    seq: i64,
    notice: &'a str,
    /// Whether the last call ended without a booking and another one may be made.
    call_failed: bool,
    appointment: Option<Appointment<'a>>,
    /// Whether the call was simulated.
    is_simulated: bool,
    /// Whether this viewer may select a provider, once there are any.
    may_change: bool,
    form: Form<'a>,
}

impl Page<'_> {
    fn may_book(&self) -> bool {
        self.may_change && self.request.status == ServiceRequestStatus::Recommended
    }
}

/// `GET /request/{id}`
pub(super) async fn show(
    State(web): State<Web>,
    shell: Shell,
    caller: Caller,
    Path(id): Path<ServiceRequestId>,
    Query(extra): Query<Extra>,
) -> Result<Response> {
    if let Some(token) = extra.t.as_deref() {
        return open(&web, &id, token);
    }
    render(&web, shell, &caller, &id, &extra, None).await
}

/// Stores a valid token in a cookie and redirects to the URL without it, because URLs are copied and logged.
fn open(web: &Web, id: &ServiceRequestId, token: &str) -> Result<Response> {
    if !link::is_good(&web.session_secret, id, token) {
        return Err(ApiError::not_found());
    }
    let cookie = link::cookie(&web.public_url, id, token)?;
    let mut response = Redirect::to(&format!("/request/{id}")).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// A submitted form that is shown again.
struct Back {
    status: StatusCode,
    typed: Typed,
    asks_about_past: bool,
}

/// Renders the page, with the submitted form if there is one.
async fn render(
    web: &Web,
    shell: Shell,
    caller: &Caller,
    id: &ServiceRequestId,
    extra: &Extra,
    back: Option<Back>,
) -> Result<Response> {
    let viewer = viewer_for(web, caller, id)?;
    // This is read before the page's data. A later event may already be on the page, but none is missed.
    let seq = stream::latest(&web.db).await?;
    let mut request = calls::view(&web.db, &viewer, id).await?;
    if let Some(call) = &mut request.active_call {
        with_polls(web, call).await?;
    }
    let owner = calls::org_of_request(&web.db, &viewer, id).await?;
    let shell = shell.in_org(web, &owner).await?;
    let zone = shell.zone;
    let providers = request.providers.take().unwrap_or_default();
    let Back { status, typed, asks_about_past } = back.unwrap_or_else(|| Back {
        status: StatusCode::OK,
        typed: form::blank(&request, extra.book.as_deref()),
        asks_about_past: false,
    });
    let appointment = Appointment::of(&request, &providers, zone);
    let last_call = calls::last_call(&web.db, &viewer, id).await?;
    let is_simulated = appointment.is_some() && matches!(last_call, Some((_, CallMode::Simulated)));
    let call_failed = request.status == ServiceRequestStatus::Recommended
        && matches!(last_call, Some((CallStatus::NotConfirmed | CallStatus::Failed | CallStatus::Timeout, _)));
    let page = Page {
        status: LiveStatus::of(&request, web.clock.now()),
        seq,
        call_failed,
        notice: extra.notice.as_deref().unwrap_or_default(),
        appointment,
        is_simulated,
        may_change: matches!(caller.principal(), Principal::Local { .. }) || *viewer.reach() != Reach::All,
        form: Form {
            zone: zone.name(),
            provider: providers
                .iter()
                .find(|provider| provider.id.as_str() == typed.value("providerId"))
                .filter(|_| request.status == ServiceRequestStatus::Recommended),
            typed,
            asks_about_past,
        },
        request: &request,
        providers: &providers,
        shell,
    };
    Ok(page_or_block(status, &page, extra.fragment.as_deref(), &[("now", &page.as_now())]))
}
