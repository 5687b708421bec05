//! `/exceptions`: the list, the worst first and then the oldest.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use nightshift_domain::exceptions::{self, Counts, ExceptionStatus, ExceptionView, Filter, Severity};
use nightshift_domain::page::Limit;
use nightshift_domain::people::users::{self, User};
use nightshift_domain::stream;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::pages::kit::{self, Asked, List, Shell, choices, count};
use crate::web::state::Web;

/// What narrows the list.
#[derive(Serialize, Deserialize, IntoParams, ToSchema)]
#[schema(as = ExceptionFilters)]
#[serde(default)]
pub(in crate::web::pages) struct Filters {
    /// By type; a text that is no type of this program may match rows of another version.
    #[serde(rename = "type")]
    kind: Option<String>,
    severity: Option<Severity>,
    status: ExceptionStatus,
}

impl Default for Filters {
    fn default() -> Self {
        Self { kind: None, severity: None, status: ExceptionStatus::Open }
    }
}

impl kit::Filters for Filters {}

#[derive(Template)]
#[template(path = "exceptions.html", blocks = ["list"])]
struct Page {
    shell: Shell,
    list: List<Filters, ExceptionView>,
    counts: Counts,
    workers: Vec<User>,
    /// The last event that the page knows of; none when it could not be read.
    seq: Option<i64>,
}

/// `GET /exceptions`
pub(in crate::web::pages) async fn show(
    State(web): State<Web>,
    shell: Shell,
    caller: Caller,
    asked: Asked<Filters>,
) -> Result<Response> {
    let Filters { kind, severity, status } = &asked.filters;
    let filter = Filter { kind: kind.clone(), severity: *severity, status: Some(*status), booking: None };
    let (viewer, mut counts, mut workers, mut seq) = (caller.viewer(), Counts::default(), Vec::new(), None);
    let found = async {
        seq = Some(stream::latest(&web.db).await?);
        counts = exceptions::counts(&web.db, &viewer, &filter).await?;
        workers = users::workers_of(&web.db, viewer.org_id()).await?;
        Ok(exceptions::list(&web.db, &viewer, &filter, asked.cursor(), Limit::default()).await?)
    };
    let found = found.await;
    let total = match severity {
        None => counts.high + counts.medium + counts.low,
        Some(Severity::High) => counts.high,
        Some(Severity::Medium) => counts.medium,
        Some(Severity::Low) => counts.low,
    };
    let page = Page { list: asked.list(found, total)?, shell, counts, workers, seq };
    Ok(page.list.answer(&page, &page.as_list()))
}
