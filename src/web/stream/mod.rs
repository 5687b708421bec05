//! `GET /api/events/stream`: live updates by server-sent events (HTML standard, section 9.2).
//!
//! A page names its topics; what happens to them is written by whoever changes them, in the same transaction, and read
//! here by one reader per process ([`hub`]) however many watch. The id of an event is its place in the order of all, so a
//! connection that broke goes on where it was.

mod hub;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, stream};
use nightshift_domain::stream::{self as events, StreamEvent, Topic};
use nightshift_domain::viewer::Viewer;
use serde::Deserialize;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use utoipa::{IntoParams, ToSchema};

pub use hub::Hub;

use super::auth::{Caller, Principal};
use super::error::{ApiError, Result};
use super::query::Query;
use super::routes::{Contract, Takes};
use super::state::Web;

const HEARTBEAT: Duration = Duration::from_secs(15);
const TOPICS_MAX: usize = 20;
const LAST_EVENT_ID: &str = "Last-Event-ID";

/// Which topics.
#[derive(Deserialize, IntoParams, ToSchema)]
pub struct StreamQuery {
    /// 1 to 20, separated by commas: `threads`, `windows`, `ledger`, `exceptions`, `jobs`, `request:{id}`,
    /// `thread:{id}`, `sitter:{id}`.
    topics: String,
    /// As the header `Last-Event-ID`, for clients that can't send one.
    #[serde(rename = "lastEventId")]
    last_event_id: Option<String>,
}

/// The header by which a browser goes on where it was.
pub struct LastEventId(Option<String>);

impl FromRequestParts<Web> for LastEventId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Infallible> {
        let value = parts.headers.get(LAST_EVENT_ID);
        Ok(Self(value.and_then(|value| value.to_str().ok()).map(str::to_owned)))
    }
}

impl Takes for LastEventId {
    fn describe(contract: &mut Contract) {
        contract.header(LAST_EVENT_ID, "The id of the last event that was seen. What happened after it is sent first.");
    }
}

/// What one watcher gets: topics, each as the viewer that may watch it.
struct Watch(Vec<(String, Viewer)>);

impl Watch {
    fn wants(&self, event: &StreamEvent) -> bool {
        self.0.iter().any(|(topic, viewer)| *topic == event.topic && event.is_for(viewer))
    }
}

/// `GET /api/events/stream?topics=a,b`
pub async fn watch(
    State(web): State<Web>,
    caller: Caller,
    LastEventId(given): LastEventId,
    Query(query): Query<StreamQuery>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let topics: Vec<Topic> = query
        .topics
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| name.parse().map_err(|()| ApiError::invalid("topics", format!("{name} is no topic"))))
        .collect::<Result<_>>()?;
    if topics.is_empty() || topics.len() > TOPICS_MAX {
        return Err(ApiError::invalid("topics", format!("names 1 to {TOPICS_MAX} topics")));
    }
    let mut watch = Watch(Vec::with_capacity(topics.len()));
    for topic in &topics {
        let viewer = match topic {
            // Its own link opens it.
            Topic::Request(id) => caller.viewer_of(&web, id).map_err(|_| topic.refused())?,
            _ => caller.viewer(),
        };
        // Where authentication is off, everything of the organisation may be watched.
        if !matches!(caller.principal(), Principal::Local { .. }) {
            topic.check(&web.db, &viewer).await?;
        }
        watch.0.push((topic.to_string(), viewer));
    }
    let watch = Arc::new(watch);
    let last = match given.or(query.last_event_id).filter(|text| !text.is_empty()) {
        Some(text) => {
            let seq: Option<i64> = text.parse().ok();
            Some(seq.ok_or_else(|| ApiError::bad_request("bad_cursor", "Last-Event-ID is none that was given out."))?)
        }
        None => None,
    };
    let (live, position) = web.hub.subscribe(&web.db).await?;
    let missed = missed(&web, &watch, last, position).await?;
    let missed = stream::iter(missed.into_iter().map(|event| shown(&event)));
    let rest = follow(live, watch, position).take_until(web.closing.clone().cancelled_owned());
    Ok(Sse::new(missed.chain(rest)).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("heartbeat")))
}

/// What happened between the event that was last seen and the present.
async fn missed(web: &Web, watch: &Watch, last: Option<i64>, position: i64) -> Result<Vec<StreamEvent>> {
    let mut missed = Vec::new();
    let Some(mut at) = last else { return Ok(missed) };
    while at < position {
        let events = events::after(&web.db, at).await?;
        let Some(newest) = events.last().map(|event| event.seq) else { break };
        missed.extend(events.into_iter().filter(|event| event.seq <= position && watch.wants(event)));
        at = newest;
    }
    Ok(missed)
}

/// What happens from `position` on. Ends when this watcher is too slow: it comes back with the last event it saw.
fn follow(
    live: broadcast::Receiver<Arc<StreamEvent>>,
    watch: Arc<Watch>,
    position: i64,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let events = stream::unfold(live, |mut live| async move {
        match live.recv().await {
            Ok(event) => Some((event, live)),
            Err(RecvError::Lagged(_) | RecvError::Closed) => None,
        }
    });
    events.filter_map(move |event| {
        let wanted = (event.seq > position && watch.wants(&event)).then(|| shown(&event));
        std::future::ready(wanted)
    })
}

fn shown(event: &StreamEvent) -> Result<Event, Infallible> {
    // JSON has no line breaks of its own, and the event's name is a word of ours.
    Ok(Event::default().id(event.seq.to_string()).event(&event.event).data(event.data.0.to_string()))
}
