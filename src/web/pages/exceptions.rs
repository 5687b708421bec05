//! `/exceptions`: what needs a person, and what they do about it.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{NaiveDateTime, TimeZone};
use nightshift_db::{Timestamp, Tx};
use nightshift_domain::exceptions::{self, Counts, ExceptionKind, ExceptionView, Filter, Severity, Status};
use nightshift_domain::ids::ExceptionId;
use nightshift_domain::page::Limit;
use nightshift_domain::people::users::{self, User};
use nightshift_domain::pricing::Line;
use nightshift_domain::reconciliation::{self, DriftView};
use nightshift_domain::{Error, stream};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::extract::{Form, Query};
use super::page;
use super::shell::{Shell, money};
use crate::web::auth::{Caller, csrf};
use crate::web::error::{ApiError, Result};
use crate::web::path::Path;
use crate::web::state::Web;

/// What narrows the list, as typed; empty does not.
#[derive(Debug, Default, Deserialize, IntoParams, ToSchema)]
#[schema(as = ExceptionsQuery)]
#[serde(default)]
pub(super) struct Asked {
    #[serde(rename = "type")]
    kind: String,
    severity: String,
    status: String,
    cursor: String,
    fragment: Option<String>,
}

#[derive(Template)]
#[template(path = "exceptions.html")]
struct ListPage<'a> {
    shell: &'a Shell,
    body: ListBody<'a>,
    seq: i64,
}

#[derive(Template)]
#[template(path = "exceptions_body.html")]
struct ListBody<'a> {
    shell: &'a Shell,
    asked: &'a Asked,
    items: &'a [ExceptionView],
    counts: Counts,
    /// The address of the next page.
    more: Option<String>,
    now: Timestamp,
}

impl ListBody<'_> {
    fn filtered(&self) -> bool {
        !(self.asked.kind.is_empty() && self.asked.severity.is_empty() && self.asked.status.is_empty())
    }

    /// The type that is asked for when it is none of this program's.
    fn unknown_kind(&self) -> Option<&str> {
        given(&self.asked.kind).filter(|kind| kind.parse::<ExceptionKind>().is_err())
    }

    fn age(&self, item: &ExceptionView) -> String {
        let minutes = self.now.since(item.created_at).as_secs() / 60;
        match minutes {
            0..60 => format!("{minutes} min"),
            60..2880 => format!("{} h", minutes / 60),
            _ => format!("{} days", minutes / 1440),
        }
    }
}

/// `GET /exceptions`
pub(super) async fn list(State(web): State<Web>, caller: Caller, Query(asked): Query<Asked>) -> Result<Response> {
    render_list(&web, &caller, &asked).await
}

async fn render_list(web: &Web, caller: &Caller, asked: &Asked) -> Result<Response> {
    let shell = Shell::of(web, caller).await?;
    let seq = stream::latest(&web.db).await?;
    let filter = Filter {
        kind: given(&asked.kind).map(str::to_owned),
        // What is no such word narrows nothing: the form only offers those that are.
        severity: asked.severity.parse().ok(),
        status: asked.status.parse().ok(),
        booking: None,
    };
    let viewer = caller.viewer();
    let found = exceptions::list(&web.db, &viewer, &filter, given(&asked.cursor), Limit::default()).await?;
    let counts = exceptions::counts(&web.db, &viewer, &filter).await?;
    let more = found.next_cursor.map(|cursor| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("type", &asked.kind).append_pair("severity", &asked.severity);
        query.append_pair("status", &asked.status).append_pair("cursor", &cursor);
        format!("/exceptions?{}", query.finish())
    });
    let body = ListBody { shell: &shell, asked, items: &found.items, counts, more, now: web.clock.now() };
    if asked.fragment.is_some() {
        return Ok(page(StatusCode::OK, &body));
    }
    Ok(page(StatusCode::OK, &ListPage { shell: &shell, body, seq }))
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// What was wrong with a form, and what was typed into it.
#[derive(Default)]
struct Refused {
    form: &'static str,
    sentence: String,
    typed: String,
}

#[derive(Template)]
#[template(path = "exception.html")]
struct DetailPage<'a> {
    shell: &'a Shell,
    item: &'a ExceptionView,
    drift: Option<&'a DriftView>,
    recomputed: Vec<Line>,
    facts: Vec<(String, String)>,
    workers: &'a [User],
    assignee: Option<&'a str>,
    refused: Refused,
}

/// `GET /exceptions/{id}`
pub(super) async fn show(State(web): State<Web>, caller: Caller, Path(id): Path<ExceptionId>) -> Result<Response> {
    render(&web, &caller, &id, StatusCode::OK, Refused::default()).await
}

async fn render(
    web: &Web,
    caller: &Caller,
    id: &ExceptionId,
    status: StatusCode,
    refused: Refused,
) -> Result<Response> {
    let shell = Shell::of(web, caller).await?;
    let viewer = caller.viewer();
    let item = exceptions::get(&web.db, &viewer, id).await?;
    let drift = match &item.drift_id {
        Some(drift) => reconciliation::drift_of_exception(&web.db, &viewer, drift).await?,
        None => None,
    };
    let workers = users::workers_of(&web.db, item.org_id.as_ref()).await?;
    let assignee = item
        .assigned_to
        .as_deref()
        .map(|id| workers.iter().find(|user| user.id.as_str() == id).map_or(id, |user| user.name.as_str()));
    let recomputed = drift.as_ref().map(|drift| drift.detail.0["recomputedLines"].clone());
    let page_of = DetailPage {
        facts: facts(&item),
        recomputed: recomputed.and_then(|lines| serde_json::from_value(lines).ok()).unwrap_or_default(),
        drift: drift.as_ref(),
        workers: &workers,
        shell: &shell,
        item: &item,
        assignee,
        refused,
    };
    Ok(page(status, &page_of))
}

/// What is known, as names and values; nested values as they are. A drift has its table.
fn facts(item: &ExceptionView) -> Vec<(String, String)> {
    let known = [
        ("Booking", item.booking_id.as_ref().map(ToString::to_string)),
        ("Conversation", item.thread_id.as_ref().map(ToString::to_string)),
        ("Client", item.client_id.as_ref().map(ToString::to_string)),
        ("Job", item.job_id.clone()),
        ("Webhook", item.inbox_id.as_ref().map(ToString::to_string)),
    ];
    let ids = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let detail = item.detail.0.as_object().filter(|_| item.drift_id.is_none());
    let detail = detail.into_iter().flatten().filter(|(_, value)| !value.is_null());
    let detail = detail.map(|(name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (name.clone(), text)
    });
    ids.chain(detail).collect()
}

/// The form that gives an item to somebody.
#[derive(Deserialize, ToSchema)]
#[schema(as = AssignForm)]
pub(super) struct Assign {
    csrf: String,
    #[serde(rename = "userId")]
    user_id: String,
}

/// `POST /exceptions/{id}/assign`
pub(super) async fn assign(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<ExceptionId>,
    Form(form): Form<Assign>,
) -> Result<Response> {
    let user = form.user_id.as_str().into();
    let change = async |tx: &mut Tx| {
        exceptions::assign(tx, &caller.viewer(), &id, &user, &caller.actor(), web.clock.now()).await
    };
    act(&web, &caller, &id, &form.csrf, ("assign", &form.user_id), change).await
}

/// The form that puts an item off.
#[derive(Deserialize, ToSchema)]
#[schema(as = SnoozeForm)]
pub(super) struct Snooze {
    csrf: String,
    until: String,
}

/// `POST /exceptions/{id}/snooze`
pub(super) async fn snooze(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<ExceptionId>,
    Form(form): Form<Snooze>,
) -> Result<Response> {
    let change = async |tx: &mut Tx| {
        let zone = match caller.viewer().org_id() {
            Some(org) => nightshift_domain::people::organizations::zone(&web.db, org).await?,
            None => chrono_tz::Tz::UTC,
        };
        let typed = NaiveDateTime::parse_from_str(&form.until, "%Y-%m-%dT%H:%M");
        let until = typed.ok().and_then(|local| zone.from_local_datetime(&local).earliest());
        let until = until.ok_or_else(|| Error::invalid("until", "must be a date and time"))?;
        let until = Timestamp::from(until.with_timezone(&chrono::Utc));
        exceptions::snooze(tx, &caller.viewer(), &id, until, &caller.actor(), web.clock.now()).await
    };
    act(&web, &caller, &id, &form.csrf, ("snooze", &form.until), change).await
}

/// The form that closes an item.
#[derive(Deserialize, ToSchema)]
#[schema(as = ResolveForm)]
pub(super) struct Resolve {
    csrf: String,
    #[serde(default)]
    #[schema(required = true)]
    note: String,
}

/// `POST /exceptions/{id}/resolve`
pub(super) async fn resolve(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<ExceptionId>,
    Form(form): Form<Resolve>,
) -> Result<Response> {
    let change = async |tx: &mut Tx| {
        exceptions::close(tx, &caller.viewer(), &id, &form.note, &caller.actor(), web.clock.now()).await
    };
    act(&web, &caller, &id, &form.csrf, ("resolve", &form.note), change).await
}

/// Does what a form asks for and goes back to the item; what makes no sense is told beside the form.
async fn act(
    web: &Web,
    caller: &Caller,
    id: &ExceptionId,
    csrf: &str,
    (form, typed): (&'static str, &str),
    change: impl AsyncFnOnce(&mut Tx) -> nightshift_domain::Result<ExceptionView>,
) -> Result<Response> {
    if !csrf::is_form_of(&web.session_secret, caller.principal(), csrf) {
        return Err(ApiError::forbidden("csrf", "This form is not one of this page."));
    }
    let changed: Result<()> = async {
        let mut tx = web.db.begin().await?;
        change(&mut tx).await?;
        Ok(tx.commit().await?)
    }
    .await;
    let error = match changed {
        Ok(()) => return Ok(Redirect::to(&format!("/exceptions/{id}")).into_response()),
        Err(error) => error,
    };
    if !matches!(error.status, StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT) {
        return Err(error);
    }
    let sentence = error.fields.values().next().cloned().unwrap_or_else(|| error.message.clone());
    let refused = Refused { form, sentence, typed: typed.to_owned() };
    render(web, caller, id, error.status, refused).await
}
