//! `/request/{id}`: what somebody who asked for an appointment sees, from the choice of a provider to the confirmation.

pub(super) mod appointment;
pub(super) mod book;
mod form;
mod status;
mod viewer;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
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

/// What may follow the address.
#[derive(Default, Deserialize, IntoParams, ToSchema)]
#[schema(as = RequestPageQuery)]
pub(super) struct Extra {
    /// The link's token.
    t: Option<String>,
    /// Only the part that changes.
    fragment: Option<String>,
    /// What became of a form.
    notice: Option<String>,
    /// The id of a provider: the page comes with the form to book it open.
    book: Option<String>,
}

#[derive(Template)]
#[template(path = "request.html", blocks = ["now"])]
struct Page<'a> {
    shell: Shell,
    request: &'a ServiceRequestView,
    providers: &'a [ServiceProviderView],
    status: LiveStatus,
    /// The last event that the page knows of.
    seq: i64,
    notice: &'a str,
    /// Whether the last call ended without a booking, and another may be made.
    call_failed: bool,
    appointment: Option<Appointment<'a>>,
    /// Whether nobody was called for the appointment.
    is_simulated: bool,
    /// Whether this viewer may choose a provider, once there are any.
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

/// Keeps a good token in a cookie, and takes it out of the address: addresses are copied and logged.
fn open(web: &Web, id: &ServiceRequestId, token: &str) -> Result<Response> {
    if !link::is_good(&web.session_secret, id, token) {
        return Err(ApiError::not_found());
    }
    let secure = if web.public_url.starts_with("https://") { "; Secure" } else { "" };
    let name = link::cookie_name(id);
    let cookie = format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000{secure}");
    let Ok(cookie) = HeaderValue::from_str(&cookie) else { return Err(ApiError::not_found()) };
    let mut response = Redirect::to(&format!("/request/{id}")).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// A form that was sent and comes back.
struct Back {
    status: StatusCode,
    typed: Typed,
    asks_about_past: bool,
}

/// The page; with the form as it comes back, if one was sent.
async fn render(
    web: &Web,
    shell: Shell,
    caller: &Caller,
    id: &ServiceRequestId,
    extra: &Extra,
    back: Option<Back>,
) -> Result<Response> {
    let viewer = viewer_for(web, caller, id)?;
    // Read first: an event after it may be in the page already, and one before it is.
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
