//! Answering requests.
//!
//! A request passes, from the outside in: [`server`] (connections, slow clients), [`observe`] (its id, metrics, and
//! the log line of a failure), [`limits`] (how many, how large, how long), and then, for a webhook, the [`receiver`],
//! which proves who sent it, stores it and answers; for a call of the API, [`auth`] (who is it and may they),
//! [`idempotency`] (has this been answered before), [`contention`] (once more, if another transaction was in the way) and
//! its handler in [`api`]; for a page, [`auth`], [`contention`] and its handler in [`pages`], which renders every error.
//!
//! Every route is a row of the [`table`](mod@table); the kind of a row decides which of these surround its handler.
//!
//! Files use only files below them. From the lowest up:
//! - [`request_id`], which every error answer names, and [`error`];
//! - what the process keeps between requests: failed sign-ins, refused webhooks, keys in use, writers, the [`Hub`];
//! - [`state`], which holds all of it and is handed to every handler;
//! - who asks ([`auth`]) and what a route is ([`routes`]);
//! - what handlers read and answer: [`path`], [`query`], [`body`], [`answer`], [`idempotency`], and what the API and pages
//!   share of [`calls`];
//! - handlers and the rows of their routes: [`api`], [`auth::login`], [`receiver`], [`stream`], [`pages`], [`health`];
//! - [`layers`], [`table`](mod@table), [`router`].
//!
//! **Invariant:** no business rule and no SQL; a handler calls the domain, enqueues what follows, and commits.

mod answer;
pub mod api;
pub mod auth;
mod body;
mod calls;
mod contention;
mod cookie;
mod error;
mod health;
mod idempotency;
mod layers;
mod limits;
mod note_limit;
mod observe;
mod pages;
mod path;
mod query;
mod rate_limit;
pub mod receiver;
mod request_id;
pub mod routes;
pub mod server;
mod state;
pub mod stream;
mod table;

use axum::Router;
use axum::middleware::from_fn_with_state;

pub use auth::Failures;
pub use error::ApiError;
pub use idempotency::Running;
pub use rate_limit::RateLimits;
pub use state::{Shared, Web};
pub use stream::Hub;
pub use table::{document, table};

/// All that this program answers.
pub fn router(web: Web) -> Router {
    layers::with_fallbacks(&web, table::routed(&web))
        .layer(from_fn_with_state(web.clone(), observe::layer))
        .with_state(web)
}
