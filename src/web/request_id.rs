//! The id of a request, in its extensions and as a task-local value.

/// The id of a request. It is also the correlation id of the jobs that the request enqueues.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

tokio::task_local! {
    static CURRENT: String;
}

/// Returns the id of the request that this task answers. Empty outside of a request, for example in a spawned task.
#[must_use]
pub fn current() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

/// Runs `answering` with `id` as the current request id.
pub async fn within<T>(id: String, answering: impl Future<Output = T>) -> T {
    CURRENT.scope(id, answering).await
}
