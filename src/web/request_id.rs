//! The id of a request: among its extensions, and as a value of the task that answers it.

/// The request's name, also the correlation id of what it causes.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

tokio::task_local! {
    /// The id of the request that this task answers.
    static CURRENT: String;
}

/// The id of the request that this task answers; empty outside of a request, as in a task that a handler spawned.
#[must_use]
pub fn current() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

/// Answers the request `id`, which is the current one meanwhile.
pub async fn within<T>(id: String, answering: impl Future<Output = T>) -> T {
    CURRENT.scope(id, answering).await
}
