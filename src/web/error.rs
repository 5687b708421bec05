//! The error response of every route, and the conversion of errors from lower layers.
//!
//! A handler returns [`ApiError`], which becomes a response with a JSON body. Every error response, also one rendered
//! as a page, carries its error as [`Cause`] for the layers around the handler: [`observe`](super::observe) logs it,
//! [`contention`](super::contention) decides whether to run the request again, and the pages render it. The text of an
//! internal error goes to the log and never to the caller.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nightshift_db::DbError;
use nightshift_domain::Error as DomainError;
use nightshift_queue::EnqueueError;
use serde::Serialize;
use utoipa::ToSchema;

use super::request_id;

/// The result of a handler.
pub type Result<T, E = ApiError> = std::result::Result<T, E>;

/// The code of a request whose transaction conflicted with another one.
const CONTENTION: &str = "database_busy";

/// The `Retry-After` of responses while the database is unreachable.
const AWAY: Duration = Duration::from_secs(5);

/// An error response.
#[derive(Debug, Clone)]
pub struct ApiError {
    pub status: StatusCode,
    /// A machine-readable reason.
    pub code: &'static str,
    /// One sentence for the reader of the response.
    pub message: String,
    /// For each invalid field, what is wrong with it.
    pub fields: BTreeMap<String, String>,
    /// How long the caller should wait before it retries.
    pub retry_after: Option<Duration>,
    /// What to log. Never shown to the caller. `None` logs the message.
    pub cause: Option<String>,
    /// Whether the request must not run again as a whole, because a part of it was committed.
    pub is_final: bool,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            fields: BTreeMap::new(),
            retry_after: None,
            cause: None,
            is_final: false,
        }
    }

    /// 400: the request can't be parsed.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 401: the caller must authenticate.
    pub fn unauthorized(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, message)
    }

    /// 403: the caller is known, but may not do this.
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// 404: the resource does not exist, or the caller may not see it.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found.")
    }

    /// 405: the path does not support this method.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        let message = "Method not allowed.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    /// 409: the request conflicts with the state of the resource.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// 422: one field is not valid.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        DomainError::invalid(field, message).into()
    }

    /// 429: too many requests. The next one is accepted after `wait`.
    #[must_use]
    pub fn too_many(wait: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "Too many requests. Wait and try again.").after(wait)
    }

    /// 503: nothing is acknowledged, and the same request may be sent again.
    #[must_use]
    pub fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message).after(AWAY)
    }

    /// 500: a fault of this program. `cause` is logged, and not shown to the caller.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self {
            cause: Some(cause.to_string()),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side.")
        }
    }

    /// Returns whether the same request may run again at once.
    #[must_use]
    pub fn is_contention(&self) -> bool {
        self.code == CONTENTION && !self.is_final
    }

    /// Returns the text to log.
    #[must_use]
    pub fn detail(&self) -> &str {
        self.cause.as_deref().unwrap_or(&self.message)
    }

    /// Adds the headers of this error to a response, and this error as its [`Cause`].
    pub fn mark(self, response: &mut Response) {
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_seconds() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if matches!(self.status, StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE) {
            // The rest of an unread body must not be parsed as the next request.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response.extensions_mut().insert(Cause(self));
    }

    /// Returns the value of `Retry-After`: whole seconds, at least 1. Rounded up, because an earlier retry is refused
    /// again.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u64> {
        let wait = self.retry_after?;
        Some(u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1))
    }

    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

/// The error behind a response, in the response's extensions.
#[derive(Debug, Clone)]
pub struct Cause(pub ApiError);

impl Cause {
    /// Returns the error of a response, or `None` if the response is not an [`ApiError`].
    #[must_use]
    pub fn of(response: &Response) -> Option<&ApiError> {
        response.extensions().get::<Self>().map(|Self(error)| error)
    }
}

/// The JSON body of an error response.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// Always false.
    pub success: bool,
    /// One sentence that describes the error.
    pub error: String,
    /// A machine-readable reason.
    pub code: &'static str,
    /// For each invalid field, what is wrong with it. Absent if the error is not about fields.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// The id of the request, as in `X-Request-Id` and in the log.
    pub request_id: String,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            success: false,
            error: self.message.clone(),
            code: self.code,
            fields: self.fields.clone(),
            request_id: request_id::current(),
        };
        let mut response = (self.status, Json(body)).into_response();
        self.mark(&mut response);
        response
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        let answer = match &error {
            DbError::Contention(_) => {
                Self::unavailable(CONTENTION, "The database is busy; nothing was saved. Try again.")
                    .after(Duration::from_secs(1))
            }
            DbError::Overloaded => {
                let sentence = "Too many deliveries are waiting; nothing was saved. Try again.";
                Self::unavailable("overloaded", sentence)
            }
            transient if transient.is_transient() => Self::unavailable(
                "database_unavailable",
                "The database can't be reached; nothing was saved. Try again later.",
            ),
            _ => return Self::internal(error),
        };
        Self { cause: Some(error.to_string()), ..answer }
    }
}

impl From<DomainError> for ApiError {
    fn from(error: DomainError) -> Self {
        match error {
            DomainError::Db(error) => error.into(),
            DomainError::Invalid(fields) => {
                Self { fields, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Some values are not valid.") }
            }
            DomainError::NotFound => Self::not_found(),
            DomainError::Conflict { code, message } => Self::conflict(code, message),
            DomainError::Forbidden { code, message } => Self::forbidden(code, message),
            DomainError::Busy(wait) => Self::too_many(wait),
            DomainError::BadCursor => Self::bad_request("bad_cursor", "The cursor is not valid."),
        }
    }
}

impl From<nightshift_jobs::Error> for ApiError {
    fn from(error: nightshift_jobs::Error) -> Self {
        match error {
            nightshift_jobs::Error::Domain(error) => error.into(),
            nightshift_jobs::Error::Enqueue(error) => error.into(),
        }
    }
}

impl From<EnqueueError> for ApiError {
    fn from(error: EnqueueError) -> Self {
        match error {
            EnqueueError::Db(error) => error.into(),
            EnqueueError::Payload { .. } => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nightshift_db::{Outage, sqlx};

    use super::*;

    #[test]
    fn each_error_of_the_database_has_its_status_code_and_wait() {
        let driver = || sqlx::Error::Protocol("x".to_owned());
        let away = (503, "database_unavailable", Some(5));
        let ours = (500, "internal", None);
        for (error, expected) in [
            (DbError::Overloaded, (503, "overloaded", Some(5))),
            (DbError::Contention(Arc::new(driver())), (503, "database_busy", Some(1))),
            (DbError::Unavailable(Outage::Driver(Arc::new(driver()))), away),
            (DbError::Unavailable(Outage::TimedOut), away),
            (DbError::Unavailable(Outage::NoConnection), away),
            (DbError::Unavailable(Outage::Unfit("x".to_owned())), away),
            (DbError::Unavailable(Outage::Unchecked), away),
            (DbError::Unavailable(Outage::Closed), away),
            (DbError::Unavailable(Outage::Panicked), away),
            (DbError::Unavailable(std::io::Error::other("x").into()), away),
            (DbError::Unique { constraint: "x".to_owned() }, ours),
            (DbError::NotFound, ours),
            (DbError::Config("x".to_owned()), ours),
            (DbError::Refused(driver()), ours),
            (DbError::Value("x".into()), ours),
        ] {
            let logged = error.to_string();
            let answer = ApiError::from(error);
            let given = (answer.status.as_u16(), answer.code, answer.retry_after_seconds());
            assert_eq!(given, expected, "{logged}");
            assert_eq!(answer.cause, Some(logged));
        }
    }
}
