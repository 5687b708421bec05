//! The differences between the webhooks of providers.

use axum::response::IntoResponse;
use nightshift_domain::inbox::{Recorded, WebhookSource};
use nightshift_providers::SignatureError;

use super::incoming::Incoming;
use super::job_for::JobFor;
use super::secrets::Secrets;
use crate::web::error::{ApiError, Result};
use crate::web::routes::{Gives, Proof};
use crate::web::state::Web;

/// The webhook of one provider. [`receive`](super::receive) handles every delivery in the same way and calls these
/// methods for the rest. A value of the type holds what the response needs of the request. Most sources are empty
/// types.
pub trait Source: Send + Sized + 'static {
    /// The name under which deliveries are stored and counted.
    const SOURCE: WebhookSource;
    /// The media type of the body. A request that states another one is refused with 415. One that states none is
    /// accepted.
    const MEDIA_TYPE: &'static str;
    /// The alternative sets of proofs that [`verify`](Self::verify) accepts, for the documentation.
    const PROOFS: &'static [&'static [Proof]];
    /// Which bodies [`read`](Self::read) refuses with 422, for the documentation. `None` if it refuses none.
    const INVALID: Option<&'static str> = None;
    /// The response to a stored delivery.
    type Answer: IntoResponse + Gives;

    /// Checks, on its raw bytes, that the provider signed this request under one of `secrets`.
    /// [`verification`](super::verification) decides what an error means.
    ///
    /// # Errors
    /// Returns why the sender is not verified.
    fn verify(web: &Web, secrets: &Secrets<'_>, incoming: &Incoming) -> Result<(), SignatureError>;

    /// Parses the body once, after [`verification`](super::verification) has accepted the delivery.
    ///
    /// # Errors
    /// Returns the response to a body that is not stored. Providers retry after an error, so a readable body of an
    /// unknown type is not an error.
    fn read(incoming: &Incoming) -> Result<Read<Self>>;

    /// Returns the response to a stored delivery. `recorded.first` is false if the event was stored before.
    fn answer(self, web: &Web, recorded: &Recorded) -> impl Future<Output = Result<Self::Answer>> + Send;
}

/// The result of parsing a body.
pub struct Read<S> {
    /// The source, with what its response needs.
    pub source: S,
    /// The provider's id of the event. Deliveries with the same key are one event. `None` uses the digest of the body.
    pub event_key: Option<String>,
    /// The event's type as the provider names it.
    pub event_type: Option<String>,
    /// The job that processes the event. `None` only stores the delivery.
    pub job: Option<JobFor>,
}

/// 400: the body can't be parsed as `what`.
pub fn unreadable(what: &str, error: impl std::fmt::Display) -> ApiError {
    ApiError::bad_request("bad_body", format!("The body is not {what}: {error}."))
}
