//! What differs between one provider's webhook and another's.

use axum::response::IntoResponse;
use nightshift_domain::inbox::{Recorded, WebhookSource};
use nightshift_providers::SignatureError;

use super::incoming::Incoming;
use super::job_for::JobFor;
use crate::web::error::{ApiError, Result};
use crate::web::routes::{Gives, Proof};
use crate::web::state::Web;

/// One provider's webhook. [`receive`](super::receive) takes every delivery the same way and asks its source for the
/// rest. The value is what the answer needs of the request; most sources have an empty one.
pub trait Source: Send + Sized + 'static {
    /// Under which name deliveries are stored and counted.
    const SOURCE: WebhookSource;
    /// The type of the body. A request that names another is refused with 415; one that names none is taken.
    const MEDIA_TYPE: &'static str;
    /// What [`verify`](Self::verify) takes for a proof, for the documentation: one of these sets.
    const PROOFS: &'static [&'static [Proof]];
    /// What the provider gets once its delivery is stored.
    type Answer: IntoResponse + Gives;

    /// Checks that the provider made this request, over its raw bytes. What an error means is decided by
    /// [`verification`](super::verification).
    ///
    /// # Errors
    /// Why the request is not proven.
    fn verify(web: &Web, incoming: &Incoming) -> Result<(), SignatureError>;

    /// Reads the body, once. It is read only after [`verification`](super::verification) has accepted the delivery.
    ///
    /// # Errors
    /// The answer to a body that is not stored. A provider repeats what it gets an error for, so a body that merely
    /// means nothing to us is no error.
    fn read(incoming: &Incoming) -> Result<Read<Self>>;

    /// The answer to a delivery that is stored, in whatever format the provider wants. `recorded.first` is false for
    /// the repeat of an event.
    fn answer(self, web: &Web, recorded: &Recorded) -> impl Future<Output = Result<Self::Answer>> + Send;
}

/// What one parse of a body yields.
pub struct Read<S> {
    /// The source, with what its answer needs.
    pub source: S,
    /// What the provider calls the event. Deliveries with the same key are one event; without a key the body decides.
    pub event_key: Option<String>,
    /// Its type in the provider's words.
    pub event_type: Option<String>,
    /// The job that acts on the event. Without one the delivery is only stored.
    pub job: Option<JobFor>,
}

/// The answer to a body that is not `what`.
pub fn unreadable(what: &str, error: impl std::fmt::Display) -> ApiError {
    ApiError::bad_request("bad_body", format!("The body can't be read as {what}: {error}."))
}
