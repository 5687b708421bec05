//! `/request/{id}`: what somebody who asked for an appointment sees, from the choice of a provider to the confirmation.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use nightshift_db::Timestamp;
use nightshift_domain::audience::Audience;
use nightshift_domain::calls::{self, CallStatus, ProviderView, RequestStatus, RequestView};
use nightshift_domain::ids::RequestId;
use nightshift_domain::people::organizations;
use nightshift_domain::stream;
use nightshift_domain::viewer::{Reach, Viewer};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::book::Asked;
use super::kit::{Query, Shell, local, page};
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
}

/// How the status block looks.
struct LiveStatus {
    /// The word that styles it.
    class: &'static str,
    label: &'static str,
    title: &'static str,
    text: &'static str,
    /// What a call is at.
    step: Option<&'static str>,
    /// Since when, for the elapsed time.
    since: Option<Timestamp>,
}

struct Notice {
    class: &'static str,
    title: &'static str,
    text: &'static str,
}

#[derive(Template)]
#[template(path = "request.html")]
struct Page<'a> {
    body: Body<'a>,
    /// The last event that the page knows of.
    seq: i64,
    refresh: bool,
}

/// The part that changes while the page is open.
#[derive(Template)]
#[template(path = "request_body.html")]
struct Body<'a> {
    request: &'a RequestView,
    providers: &'a [ProviderView],
    status: LiveStatus,
    created: String,
    created_utc: String,
    booked: Option<&'a ProviderView>,
    may_book: bool,
    simulated: bool,
    csrf: String,
    notice: Option<Notice>,
    /// The organisation's zone, in which a date is past or not.
    zone: &'static str,
    asked: Option<&'a Asked>,
}

impl Body<'_> {
    /// What was filled into a provider's form that is shown once more.
    fn asked_of(&self, provider: &ProviderView) -> Option<&Asked> {
        self.asked.filter(|asked| asked.is_of(&provider.id))
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
    render(&web, &caller, &id, &extra, shell.csrf, None).await
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
pub(super) fn viewer_for(web: &Web, caller: &Caller, id: &RequestId) -> Result<Viewer> {
    let viewer = match caller.principal() {
        Principal::Nobody | Principal::Key(_) => return Err(ApiError::not_found()),
        _ => caller.viewer_of(web, id)?,
    };
    if viewer.sitter_id().is_some() {
        return Err(ApiError::not_found());
    }
    Ok(viewer.shown_to(Audience::Sitter))
}

/// The page, with the form that is shown once more when a visitor is `asked` whether they mean it.
pub(super) async fn render(
    web: &Web,
    caller: &Caller,
    id: &RequestId,
    extra: &Extra,
    csrf: String,
    asked: Option<&Asked>,
) -> Result<Response> {
    let viewer = viewer_for(web, caller, id)?;
    // Read first: an event after it may be in the page already, and one before it is.
    let seq = stream::latest(&web.db).await?;
    let mut request = calls::view(&web.db, &viewer, id).await?;
    if let Some(call) = &mut request.active_call {
        with_polls(web, call).await?;
    }
    let owner = calls::org_of_request(&web.db, &viewer, id).await?;
    let zone = organizations::zone(&web.db, &owner).await?;
    let providers = request.providers.take().unwrap_or_default();
    let booked = providers
        .iter()
        .find(|provider| request.selected_provider_id.as_ref() == Some(&provider.id) && provider.booking_confirmed);
    let by_link = matches!(viewer.reach(), Reach::Request(_));
    let may_change = matches!(caller.principal(), Principal::Local { .. }) || *viewer.reach() != Reach::All;
    let body = Body {
        status: live_status(&request),
        created: local(request.created_at, zone),
        created_utc: request.created_at.to_string(),
        simulated: !by_link
            && booked
                .and_then(|provider| provider.confirmation_number.as_deref())
                .is_some_and(|number| number.starts_with("SIM-")),
        booked: booked.filter(|_| request.status == RequestStatus::Completed),
        may_book: may_change && request.status == RequestStatus::Recommended,
        csrf,
        notice: extra.notice.as_deref().and_then(notice),
        zone: zone.name(),
        asked,
        request: &request,
        providers: &providers,
    };
    if extra.fragment.is_some() {
        return Ok(page(StatusCode::OK, &body));
    }
    Ok(page(StatusCode::OK, &Page { refresh: request.status == RequestStatus::Booking, seq, body }))
}

fn live_status(request: &RequestView) -> LiveStatus {
    let plain = |class, label| LiveStatus { class, label, title: label, text: "", step: None, since: None };
    match request.status {
        RequestStatus::Pending | RequestStatus::Searching => plain("working", "Looking for providers..."),
        RequestStatus::Calling => plain("working", "Calling providers..."),
        RequestStatus::Analyzing => plain("working", "Comparing answers..."),
        RequestStatus::Recommended => plain("ready", "Recommendations ready"),
        RequestStatus::Completed => plain("done", "Completed"),
        RequestStatus::Failed => plain("ended", "This request was not completed."),
        RequestStatus::Cancelled => plain("ended", "This request was cancelled."),
        RequestStatus::Booking => {
            let call = request.active_call.as_ref();
            let speaking = call.is_some_and(|call| call.status == CallStatus::InProgress && call.poll_count >= 1);
            LiveStatus {
                class: "booking",
                label: "Scheduling appointment...",
                title: "Scheduling Your Appointment",
                text: "Our AI is calling the provider to book your appointment",
                step: Some(if speaking { "On the call..." } else { "Connecting to provider..." }),
                since: call.filter(|_| speaking).and_then(|call| call.started_at),
            }
        }
    }
}

fn notice(word: &str) -> Option<Notice> {
    match word {
        "started" => Some(Notice {
            class: "success",
            title: "Booking call started!",
            text: "You'll receive a notification when your appointment is confirmed.",
        }),
        "failed" => Some(Notice { class: "error", title: "Failed to start booking call", text: "Please try again" }),
        _ => None,
    }
}
