//! One row of the table: method, path, who may use it, limits, documentation, handler.
//!
//! What a handler takes and answers is read from its signature ([`Contract`]), so a row can neither lack its
//! documentation nor contradict its handler.

use std::time::Duration;

use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::routing::{MethodFilter, MethodRouter, on};

use super::contract::{Contract, Endpoint};
use super::proof::Proof;
use crate::web::auth::Access;
use crate::web::state::Web;

/// What surrounds the handlers of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// JSON for programs: authentication, limits, idempotency, retries after contention.
    Api,
    /// HTML for people: as [`Kind::Api`], with errors as pages and without idempotency keys.
    Page,
    /// Deliveries of providers, proven by their signatures.
    Webhook,
    /// Files of the pages.
    Asset,
    /// For machines that watch. Outside the limits of other requests: a busy process still lives.
    Probe,
}

/// A group of routes that are about the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// What surrounds its handlers.
    pub kind: Kind,
    /// Its name in the documentation.
    pub name: &'static str,
}

/// One route.
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, with `{parameters}`.
    pub path: &'static str,
    /// Where it belongs.
    pub area: Area,
    /// Who may use it.
    pub access: Access,
    /// How a caller proves who they are, where `access` does not say it: one of these sets.
    pub proofs: &'static [&'static [Proof]],
    /// What it may cost.
    pub limits: Limits,
    /// What callers are told about it.
    pub doc: Doc,
    pub(in crate::web) handler: MethodRouter<Web>,
}

impl Route {
    /// Whether a request may carry an `Idempotency-Key`: only where the handler keeps its answer for it. What would be
    /// kept of a sign-in is a hash of the password.
    pub(in crate::web) fn is_keyed(&self) -> bool {
        self.area.kind == Kind::Api && self.method == Method::POST && self.doc.contract.keeps_answer
    }
}

/// Limits of a route, where they differ from the settings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// How long it may take, when that is longer than usual.
    pub timeout: Option<Duration>,
    /// Largest body in bytes, when that is smaller than usual.
    pub body_bytes_max: Option<usize>,
}

/// The documentation of a route.
pub struct Doc {
    /// What it does, in a few words.
    pub summary: &'static str,
    /// More about it, in Markdown; may be empty.
    pub text: &'static str,
    /// Errors of its own: status, and when it is given.
    pub errors: Vec<(StatusCode, &'static str)>,
    /// What its handler takes and gives.
    pub contract: Contract,
}

impl Area {
    /// A group of routes of this kind.
    #[must_use]
    pub const fn of(kind: Kind, name: &'static str) -> Self {
        Self { kind, name }
    }

    /// A route that only reads.
    pub fn get<H, T, D>(self, path: &'static str, access: Access, summary: &'static str, handler: H) -> Route
    where
        H: Handler<T, Web> + Endpoint<D>,
        T: 'static,
    {
        self.route((Method::GET, MethodFilter::GET), path, access, summary, handler)
    }

    /// A route that makes or does something.
    pub fn post<H, T, D>(self, path: &'static str, access: Access, summary: &'static str, handler: H) -> Route
    where
        H: Handler<T, Web> + Endpoint<D>,
        T: 'static,
    {
        self.route((Method::POST, MethodFilter::POST), path, access, summary, handler)
    }

    /// A route that changes something.
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
    /// Names the proofs that its handler asks for: one of these sets.
    #[must_use]
    pub fn proofs(mut self, any_of: &'static [&'static [Proof]]) -> Self {
        self.proofs = any_of;
        self
    }

    /// Tells more about it, in Markdown.
    #[must_use]
    pub fn text(mut self, text: &'static str) -> Self {
        self.doc.text = text;
        self
    }

    /// Tells of an error of its own.
    #[must_use]
    pub fn error(mut self, status: StatusCode, when: &'static str) -> Self {
        self.doc.errors.push((status, when));
        self
    }

    /// Gives it longer than usual.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = Some(timeout);
        self
    }

    /// Takes smaller bodies than usual.
    #[must_use]
    pub fn body_bytes_max(mut self, bytes: usize) -> Self {
        self.limits.body_bytes_max = Some(bytes);
        self
    }
}
