//! `/request/{id}`: what somebody who asked for an appointment sees, from the choice of a provider to the confirmation.

pub(super) mod appointment;
pub(super) mod book;
mod status;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use nightshift_domain::audience::Audience;
use nightshift_domain::calls::{self, CallStatus, ProviderView, RequestStatus, RequestView};
use nightshift_domain::ids::RequestId;
use nightshift_domain::stream;
use nightshift_domain::viewer::{Reach, Viewer};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use self::appointment::Appointment;
use self::book::Shown;
use self::status::{CallStep, LiveStatus};
use super::kit::{Query, Shell, page_or_block};
use crate::web::api::calls::with_polls;
use crate::web::auth::{Caller, Principal, link};
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
    request: &'a RequestView,
    providers: &'a [ProviderView],
    status: LiveStatus,
    /// The last event that the page knows of.
    seq: i64,
    notice: &'a str,
    /// Whether the last call ended without a booking, and another may be made.
    call_failed: bool,
    appointment: Option<Appointment<'a>>,
    /// Whether this viewer may choose a provider, once there are any.
    may_change: bool,
    form: Form<'a>,
}

impl Page<'_> {
    fn may_book(&self) -> bool {
        self.may_change && self.request.status == RequestStatus::Recommended
    }
}

/// `GET /request/{id}`
pub(super) async fn show(
    State(web): State<Web>,
    shell: Shell,
    caller: Caller,
    Path(id): Path<RequestId>,
    Query(extra): Query<Extra>,
) -> Result<Response> {
    if let Some(token) = extra.t.as_deref() {
        return open(&web, &id, token);
    }
    render(&web, shell, &caller, &id, &extra, None).await
}

/// Keeps a good token in a cookie, and takes it out of the address: addresses are copied and logged.
fn open(web: &Web, id: &RequestId, token: &str) -> Result<Response> {
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

/// Who may see it: holders of its link, its owner, ops. To everybody else it is not there. Pages show nobody a number in
/// full.
fn viewer_for(web: &Web, caller: &Caller, id: &RequestId) -> Result<Viewer> {
    let viewer = match caller.principal() {
        Principal::Nobody | Principal::Key(_) => return Err(ApiError::not_found()),
        _ => caller.viewer_of(web, id)?,
    };
    if viewer.sitter_id().is_some() {
        return Err(ApiError::not_found());
    }
    Ok(viewer.shown_to(Audience::Sitter))
}

/// The form by which a provider is booked.
struct Form<'a> {
    /// The organisation's zone, in which a date is past or not.
    zone: &'static str,
    /// Whom it is open for; none while the dialog is closed.
    provider: Option<&'a ProviderView>,
    shown: Shown,
}

/// The page; with the form as it was `refused`, if it was.
async fn render(
    web: &Web,
    shell: Shell,
    caller: &Caller,
    id: &RequestId,
    extra: &Extra,
    refused: Option<Shown>,
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
    let shown = refused.unwrap_or_else(|| Shown::new(&request, extra.book.as_deref()));
    let status = if shown.wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let call_failed = request.status == RequestStatus::Recommended
        && matches!(
            calls::last_call_status(&web.db, &viewer, id).await?,
            Some(CallStatus::NotConfirmed | CallStatus::Failed | CallStatus::Timeout)
        );
    let page = Page {
        status: LiveStatus::of(&request, web.clock.now()),
        seq,
        call_failed,
        notice: extra.notice.as_deref().unwrap_or_default(),
        appointment: Appointment::of(&request, &providers, zone),
        may_change: matches!(caller.principal(), Principal::Local { .. }) || *viewer.reach() != Reach::All,
        form: Form {
            zone: zone.name(),
            provider: providers
                .iter()
                .find(|provider| provider.id.as_str() == shown.filled.provider_id)
                .filter(|_| request.status == RequestStatus::Recommended),
            shown,
        },
        request: &request,
        providers: &providers,
        shell,
    };
    Ok(page_or_block(status, &page, extra.fragment.as_deref(), &[("now", &page.as_now())]))
}
