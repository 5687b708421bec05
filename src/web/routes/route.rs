//! One row of the route table: method, path, access, limits, documentation, handler.
//!
//! What a handler takes and answers is derived from its signature ([`Contract`]), so a row can neither lack its
//! documentation nor contradict its handler.

use std::time::Duration;

use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::routing::{MethodFilter, MethodRouter, on};

use super::contract::{Contract, Endpoint};
use super::proof::Proof;
use crate::web::auth::Access;
use crate::web::state::Web;

/// The kind of a route. It determines the layers around the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// JSON for programs, with authentication, limits, idempotency and retries after contention.
    Api,
    /// HTML for browsers. Like [`Kind::Api`], but with errors as pages and without idempotency keys.
    Page,
    /// Deliveries of providers, verified by their signatures.
    Webhook,
    /// Static files of the pages.
    Asset,
    /// Probes for monitoring. The limits of other requests don't apply, because a busy process is still alive.
    Probe,
}

/// A group of routes about the same subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    pub kind: Kind,
    /// The name in the documentation.
    pub name: &'static str,
}

pub struct Route {
    pub method: Method,
    /// The path, with parameters in braces.
    pub path: &'static str,
    pub area: Area,
    pub access: Access,
    /// The alternative sets of proofs that the handler checks itself, beyond `access`.
    pub proofs: &'static [&'static [Proof]],
    pub limits: Limits,
    pub doc: Doc,
    pub(in crate::web) handler: MethodRouter<Web>,
}

impl Route {
    /// Returns whether a request may carry an `Idempotency-Key`, which is so if the handler stores its response. A
    /// sign-in must not: the stored hash of its body would be a hash of the password.
    pub(in crate::web) fn is_keyed(&self) -> bool {
        self.area.kind == Kind::Api && self.method == Method::POST && self.doc.contract.keeps_answer
    }
}

/// Limits that differ from the settings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// A longer timeout. `None` uses the setting.
    pub timeout: Option<Duration>,
    /// A smaller maximum body, in bytes. `None` uses the setting.
    pub body_bytes_max: Option<usize>,
}

/// The documentation of a route.
pub struct Doc {
    /// What the route does, in a few words.
    pub summary: &'static str,
    /// A longer description in Markdown. May be empty.
    pub text: &'static str,
    /// Errors of this route: the status, and when it is returned.
    pub errors: Vec<(StatusCode, &'static str)>,
    pub contract: Contract,
}

impl Area {
    #[must_use]
    pub const fn of(kind: Kind, name: &'static str) -> Self {
        Self { kind, name }
    }

    /// Creates a route that only reads.
    pub fn get<H, T, D>(self, path: &'static str, access: Access, summary: &'static str, handler: H) -> Route
    where
        H: Handler<T, Web> + Endpoint<D>,
        T: 'static,
    {
        self.route((Method::GET, MethodFilter::GET), path, access, summary, handler)
    }

    /// Creates a route that creates a resource or performs an action.
    pub fn post<H, T, D>(self, path: &'static str, access: Access, summary: &'static str, handler: H) -> Route
    where
        H: Handler<T, Web> + Endpoint<D>,
        T: 'static,
    {
        self.route((Method::POST, MethodFilter::POST), path, access, summary, handler)
    }

    /// Creates a route that changes a resource.
    pub fn patch<H, T, D>(self, path: &'static str, access: Access, summary: &'static str, handler: H) -> Route
    where
        H: Handler<T, Web> + Endpoint<D>,
        T: 'static,
    {
        self.route((Method::PATCH, MethodFilter::PATCH), path, access, summary, handler)
    }

    fn route<H, T, D>(
        self,
        (method, filter): (Method, MethodFilter),
        path: &'static str,
        access: Access,
        summary: &'static str,
        handler: H,
    ) -> Route
    where
        H: Handler<T, Web> + Endpoint<D>,
        T: 'static,
    {
        let doc = Doc { summary, text: "", errors: Vec::new(), contract: Contract::of::<H, D>() };
        Route {
            method,
            path,
            area: self,
            access,
            proofs: &[],
            limits: Limits::default(),
            doc,
            handler: on(filter, handler),
        }
    }
}

impl Route {
    /// Sets the alternative sets of proofs that the handler checks itself.
    #[must_use]
    pub fn proofs(mut self, any_of: &'static [&'static [Proof]]) -> Self {
        self.proofs = any_of;
        self
    }

    /// Sets the longer description, in Markdown.
    #[must_use]
    pub fn text(mut self, text: &'static str) -> Self {
        self.doc.text = text;
        self
    }

    /// Adds an error of this route.
    #[must_use]
    pub fn error(mut self, status: StatusCode, when: &'static str) -> Self {
        self.doc.errors.push((status, when));
        self
    }

    /// Sets a longer timeout than the setting.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = Some(timeout);
        self
    }

    /// Sets a smaller maximum body than the setting.
    #[must_use]
    pub fn body_bytes_max(mut self, bytes: usize) -> Self {
        self.limits.body_bytes_max = Some(bytes);
        self
    }
}
