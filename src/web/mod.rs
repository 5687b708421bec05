//! The HTTP server.
//!
//! A request passes these layers, from the outside in: [`server`] (connections, slow clients), [`observe`] (request id,
//! metrics, log line of a failure), [`limits`] (number, size, duration). Then, by the kind of its route in the
//! [`table`](mod@table):
//! - webhook: the [`receiver`] verifies its sender, stores it and answers;
//! - API: [`auth`], [`idempotency`] (replays a stored response), [`contention`] (runs it again after a conflict), and
//!   the handler in [`api`];
//! - page: [`auth`], [`contention`], and the handler in [`pages`], which also renders errors.
//!
//! A file uses only files of its own or a lower level. From the lowest up:
//! - [`request_id`], which every error response names, and [`error`];
//! - state that the process keeps between requests: failed sign-ins, refused webhooks, idempotency keys in use, webhook
//!   writers, the [`Hub`];
//! - [`state`], which holds all of it and is passed to every handler;
//! - [`auth`], and the definition of a route in [`routes`];
//! - extractors and responses: [`path`], [`query`], [`body`], [`answer`], [`idempotency`], and the [`calls`] that API
//!   and pages share;
//! - handlers and the rows of their routes: [`api`], [`auth::login`], [`receiver`], [`stream`], [`pages`], [`health`];
//! - [`layers`], [`table`](mod@table), [`router`].
//!
//! **Invariant:** no business rule and no SQL. A handler calls the domain, enqueues the jobs that follow, and commits.

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

/// Returns the router with every route and fallback of the program.
pub fn router(web: Web) -> Router {
    layers::with_fallbacks(&web, table::routed(&web))
        .layer(from_fn_with_state(web.clone(), observe::layer))
        .with_state(web)
}
