//! `GET /api/events/stream`: live updates by server-sent events (HTML standard, section 9.2).
//!
//! A page names its topics. The code that changes something writes an event in the same transaction, and one reader per
//! process ([`hub`]) reads the events for all connections. The id of an event is its sequence number, so a reconnecting
//! browser continues after the last event that it received.

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

/// The topics of a stream.
#[derive(Deserialize, IntoParams, ToSchema)]
pub struct StreamQuery {
    /// 1 to 20 topics, separated by commas: `threads`, `windows`, `ledger`, `exceptions`, `jobs`, `request:{id}`,
    /// `thread:{id}`, `sitter:{id}`.
    topics: String,
    /// The same as the header `Last-Event-ID`, for clients that can't send headers.
    #[serde(rename = "lastEventId")]
    last_event_id: Option<String>,
}

/// The header with which a reconnecting browser names the last event that it received.
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
        contract.header(LAST_EVENT_ID, "The id of the last event that was received. Later events are sent first.");
    }
}

/// The topics of one connection, each with the viewer that must be allowed to see an event.
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
        .map(|name| name.parse().map_err(|()| ApiError::invalid("topics", format!("{name} is not a topic"))))
        .collect::<Result<_>>()?;
    if topics.is_empty() || topics.len() > TOPICS_MAX {
        return Err(ApiError::invalid("topics", format!("must name 1 to {TOPICS_MAX} topics")));
    }
    let mut watch = Watch(Vec::with_capacity(topics.len()));
    for topic in &topics {
        let viewer = match topic {
            // The request's own link also grants access to its topic.
            Topic::Request(id) => caller.viewer_of(&web, id).map_err(|_| topic.refused())?,
            _ => caller.viewer(),
        };
        // Where authentication is off, every topic of the organisation is allowed.
        if !matches!(caller.principal(), Principal::Local { .. }) {
            topic.check(&web.db, &viewer).await?;
        }
        watch.0.push((topic.to_string(), viewer));
    }
    let watch = Arc::new(watch);
    let last = match given.or(query.last_event_id).filter(|text| !text.is_empty()) {
        Some(text) => {
            let seq: Option<i64> = text.parse().ok();
            Some(seq.ok_or_else(|| ApiError::bad_request("bad_cursor", "Last-Event-ID is not the id of an event."))?)
        }
        None => None,
    };
    let (live, position) = web.hub.subscribe(&web.db).await?;
    let missed = missed(&web, &watch, last, position).await?;
    let missed = stream::iter(missed.into_iter().map(|event| shown(&event)));
    let rest = follow(live, watch, position).take_until(web.closing.clone().cancelled_owned());
    Ok(Sse::new(missed.chain(rest)).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("heartbeat")))
}

/// Returns the wanted events after the event `last`, up to `position`. Empty without `last`.
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

/// Returns the events after `position` as they happen. The stream ends if the connection is too slow: the browser then
/// reconnects with the last event that it received.
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
    // Serialized JSON has no raw line breaks, and the event's name is one of our own words.
    Ok(Event::default().id(event.seq.to_string()).event(&event.event).data(event.data.0.to_string()))
}
