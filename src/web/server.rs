//! Connections: accepted, given to the router, cut off when they are slow, ended gracefully.
//!
//! hyper is driven directly because its time for reading headers, which turns away clients that send them drop by drop,
//! can't be set through axum's own server.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Answers connections until `stop`; then it takes no new ones and lets what runs finish within `grace`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    header_timeout: Duration,
    stop: impl Future<Output = ()> + Send,
    grace: Duration,
) {
    let connections = TaskTracker::new();
    let stopping = CancellationToken::new();
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, client)) => {
                    let connection = answer(stream, client, router.clone(), header_timeout, stopping.clone());
                    connections.spawn(connection);
                }
                // Out of file descriptors, most likely: some are freed as connections end.
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop => {}
    }
    drop(listener);
    stopping.cancel();
    connections.close();
    if tokio::time::timeout(grace, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "the grace time is over; connections are cut");
    }
}

async fn answer(
    stream: TcpStream,
    client: SocketAddr,
    router: Router,
    header_timeout: Duration,
    stopping: CancellationToken,
) {
    // Answers are small and complete: nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(client));
            let response = router.oneshot(request).await;
            Ok::<_, Infallible>(response.unwrap_or_else(|never| match never {}))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}
