//! Accepts connections, passes them to the router, cuts off slow clients, and shuts down gracefully.
//!
//! hyper is used directly because axum's own server has no setting for hyper's header timeout, which cuts off clients
//! that send their headers too slowly.

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

/// The maximum size of a request's head, in bytes.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Serves connections until `stop`. Then it accepts no new ones, and gives running requests `grace` to finish.
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
                // The cause is most likely a lack of file descriptors. Some are freed when connections end.
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
    // Responses are small and complete, so waiting for more data gains nothing.
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
