//! `/exceptions`: the list, the worst first and then the oldest.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use nightshift_domain::exceptions::{self, Counts, ExceptionKind, ExceptionView, Filter, Severity, Status};
use nightshift_domain::page::Limit;
use nightshift_domain::stream;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::pages::kit::{Query, Shell, page_or_block};
use crate::web::state::Web;

/// What narrows the list, as typed; empty does not.
#[derive(Debug, Default, Deserialize, IntoParams, ToSchema)]
#[schema(as = ExceptionsQuery)]
#[serde(default)]
pub(in crate::web::pages) struct Asked {
    #[serde(rename = "type")]
    kind: String,
    severity: String,
    status: String,
    cursor: String,
    fragment: Option<String>,
}

#[derive(Template)]
#[template(path = "exceptions.html", blocks = ["list"])]
struct Page<'a> {
    shell: &'a Shell,
    asked: &'a Asked,
    items: &'a [ExceptionView],
    counts: Counts,
    /// The address of the next page.
    more: Option<String>,
    seq: i64,
}

impl Page<'_> {
    fn filtered(&self) -> bool {
        !(self.asked.kind.is_empty() && self.asked.severity.is_empty() && self.asked.status.is_empty())
    }

    /// The type that is asked for when it is none of this program's.
    fn unknown_kind(&self) -> Option<&str> {
        given(&self.asked.kind).filter(|kind| kind.parse::<ExceptionKind>().is_err())
    }
}

/// `GET /exceptions`
pub(in crate::web::pages) async fn show(
    State(web): State<Web>,
    shell: Shell,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Result<Response> {
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
    let page = Page { shell: &shell, asked: &asked, items: &found.items, counts, more, seq };
    Ok(page_or_block(StatusCode::OK, &page, asked.fragment.as_deref(), &[("list", &page.as_list())]))
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}
