//! `/exceptions/{id}`: an exception, and what is done about it.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use nightshift_db::{Timestamp, Tx};
use nightshift_domain::Error;
use nightshift_domain::exceptions::{self, ExceptionStatus, ExceptionView};
use nightshift_domain::ids::ExceptionId;
use nightshift_domain::people::users::{self, User};
use nightshift_domain::reconciliation::{self, DriftView};
use serde::Deserialize;
use utoipa::ToSchema;

use super::compared::{self, Compared};
use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::pages::kit::{PageForm, Shell, Typed, money, page};
use crate::web::path::Path;
use crate::web::state::Web;

#[derive(Template)]
#[template(path = "exception.html")]
struct DetailPage<'a> {
    shell: &'a Shell,
    item: &'a ExceptionView,
    drift: Option<&'a DriftView>,
    lines: Vec<Compared>,
    facts: Vec<(String, String)>,
    more_facts: Vec<(String, String)>,
    workers: &'a [User],
    typed: Typed,
}

impl DetailPage<'_> {
    /// Whether somebody was chosen who can't be, so that the choice must not fall on whoever is first.
    fn chose_another(&self) -> bool {
        let typed = self.typed.value("userId");
        !typed.is_empty() && self.workers.iter().all(|user| user.id.as_str() != typed)
    }

    /// Whether somebody is chosen in the form: as it was typed, or as things stand.
    fn is_chosen(&self, user: &User) -> bool {
        match self.typed.value("userId") {
            "" => self.item.assigned_to.as_deref() == Some(user.id.as_str()),
            typed => typed == user.id.as_str(),
        }
    }
}

/// `GET /exceptions/{id}`
pub(in crate::web::pages) async fn show(
    State(web): State<Web>,
    shell: Shell,
    caller: Caller,
    Path(id): Path<ExceptionId>,
) -> Result<Response> {
    render(&web, &shell, &caller, &id, StatusCode::OK, Typed::default()).await
}

async fn render(
    web: &Web,
    shell: &Shell,
    caller: &Caller,
    id: &ExceptionId,
    status: StatusCode,
    typed: Typed,
) -> Result<Response> {
    let viewer = caller.viewer();
    let item = exceptions::get(&web.db, &viewer, id).await?;
    let drift = match &item.drift_id {
        Some(drift) => reconciliation::drift_of_exception(&web.db, &viewer, drift).await?,
        None => None,
    };
    let workers = users::workers_of(&web.db, item.org_id.as_ref()).await?;
    let mut facts = facts(&item);
    let more_facts = facts.split_off(facts.len().min(FACTS_MAX));
    let page_of = DetailPage {
        facts,
        more_facts,
        lines: drift.as_ref().map(compared::lines).unwrap_or_default(),
        drift: drift.as_ref(),
        workers: &workers,
        shell,
        item: &item,
        typed,
    };
    Ok(page(status, &page_of))
}

/// Facts that a page shows at once; the others are folded.
const FACTS_MAX: usize = 9;

/// What is known, as names and values; nested values as they are. A drift has its table.
fn facts(item: &ExceptionView) -> Vec<(String, String)> {
    let known = [
        ("Booking", item.booking_id.as_ref().map(ToString::to_string)),
        ("Conversation", item.thread_id.as_ref().map(ToString::to_string)),
        ("Client", item.client_id.as_ref().map(ToString::to_string)),
        ("Job", item.job_id.clone()),
        ("Webhook", item.inbox_id.as_ref().map(ToString::to_string)),
    ];
    let ids: Vec<_> = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let is_told = |text: &String| ids.iter().any(|(_, id)| id == text);
    let detail = item.detail.0.as_object().filter(|_| item.drift_id.is_none());
    let detail = detail.into_iter().flatten().filter(|(_, value)| !value.is_null());
    let detail = detail.map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (in_words(name), text)
    });
    let detail: Vec<_> = detail.filter(|(_, text)| !is_told(text)).collect();
    ids.into_iter().chain(detail).collect()
}

/// `fromNumber` as people read it: `From number`.
fn in_words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for (at, letter) in name.chars().enumerate() {
        match letter {
            _ if at == 0 => words.extend(letter.to_uppercase()),
            '_' => words.push(' '),
            'A'..='Z' => words.extend([' ', letter.to_ascii_lowercase()]),
            _ => words.push(letter),
        }
    }
    words
}

/// The form that gives an item to somebody.
#[derive(Deserialize, ToSchema)]
#[schema(as = AssignForm)]
pub(in crate::web::pages) struct Assign {
    #[serde(rename = "userId")]
    user_id: String,
}

/// `POST /exceptions/{id}/assign`
pub(in crate::web::pages) async fn assign(
    State(web): State<Web>,
    shell: Shell,
    caller: Caller,
    Path(id): Path<ExceptionId>,
    PageForm { form, typed }: PageForm<Assign>,
) -> Result<Response> {
    let user = form.user_id.as_str().into();
    let change = async |tx: &mut Tx| {
        exceptions::assign(tx, &caller.viewer(), &id, &user, &caller.actor(), web.clock.now()).await
    };
    act(&web, &shell, &caller, &id, typed, change).await
}

/// The form that puts an item off.
#[derive(Deserialize, ToSchema)]
#[schema(as = SnoozeForm)]
pub(in crate::web::pages) struct Snooze {
    until: String,
}

/// `POST /exceptions/{id}/snooze`
pub(in crate::web::pages) async fn snooze(
    State(web): State<Web>,
    shell: Shell,
    caller: Caller,
    Path(id): Path<ExceptionId>,
    PageForm { form, typed }: PageForm<Snooze>,
) -> Result<Response> {
    let change = async |tx: &mut Tx| {
        let local = NaiveDateTime::parse_from_str(&form.until, "%Y-%m-%dT%H:%M");
        let until = local.ok().and_then(|local| instant(local, shell.zone));
        let until = until.ok_or_else(|| Error::invalid("until", "must be a date and time"))?;
        let until = Timestamp::from(until.with_timezone(&chrono::Utc));
        exceptions::snooze(tx, &caller.viewer(), &id, until, &caller.actor(), web.clock.now()).await
    };
    act(&web, &shell, &caller, &id, typed, change).await
}

/// The instant at which clocks in a zone show a time; the first one after it when they skip it. None at the ends of the
/// calendar.
fn instant(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Tz>> {
    // No clock has skipped more than a day.
    let later = (0..=24 * 60).filter_map(|minutes| local.checked_add_signed(TimeDelta::minutes(minutes)));
    later.filter_map(|local| zone.from_local_datetime(&local).earliest()).next()
}

/// The form that closes an item.
#[derive(Deserialize, ToSchema)]
#[schema(as = ResolveForm)]
pub(in crate::web::pages) struct Resolve {
    #[serde(default)]
    #[schema(required = true)]
    note: String,
}

/// `POST /exceptions/{id}/resolve`
pub(in crate::web::pages) async fn resolve(
    State(web): State<Web>,
    shell: Shell,
    caller: Caller,
    Path(id): Path<ExceptionId>,
    PageForm { form, typed }: PageForm<Resolve>,
) -> Result<Response> {
    let change = async |tx: &mut Tx| {
        exceptions::close(tx, &caller.viewer(), &id, &form.note, &caller.actor(), web.clock.now()).await
    };
    act(&web, &shell, &caller, &id, typed, change).await
}

/// Does what a form asks for and goes back to the item; what makes no sense is told beside its field.
async fn act(
    web: &Web,
    shell: &Shell,
    caller: &Caller,
    id: &ExceptionId,
    typed: Typed,
    change: impl AsyncFnOnce(&mut Tx) -> nightshift_domain::Result<ExceptionView>,
) -> Result<Response> {
    let changed: Result<()> = async {
        let mut tx = web.db.begin().await?;
        change(&mut tx).await?;
        Ok(tx.commit().await?)
    }
    .await;
    match changed {
        Ok(()) => Ok(Redirect::to(&format!("/exceptions/{id}")).into_response()),
        Err(error) => render(web, shell, caller, id, error.status, typed.refused(&error)?).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_the_clocks_skip_is_the_next_one_that_they_show() {
        let zone = chrono_tz::America::New_York;
        for (typed, means) in [
            ("2025-03-09T01:59", "2025-03-09T01:59:00-05:00"),
            ("2025-03-09T02:30", "2025-03-09T03:00:00-04:00"),
            ("2025-11-02T01:30", "2025-11-02T01:30:00-04:00"),
        ] {
            let local = NaiveDateTime::parse_from_str(typed, "%Y-%m-%dT%H:%M").ok();
            assert_eq!(local.and_then(|local| instant(local, zone)).map(|at| at.to_rfc3339()), Some(means.to_owned()));
        }
    }

    #[test]
    fn names_of_facts_read_as_words() {
        let read = ["fromNumber", "error_class", "jobId", "e", ""].map(in_words);
        assert_eq!(read, ["From number", "Error class", "Job id", "E", ""]);
    }
}
