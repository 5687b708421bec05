//! The accept loop.
//!
//! axum's own loop always answers; a fault must also be able to hang up on a client in the middle of a request. A
//! handler marks its response with [`HangUp`], and the connection is closed instead of answered.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Put on a response: close the connection instead of answering.
#[derive(Debug, Clone, Copy)]
pub(super) struct HangUp;

impl fmt::Display for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hung up as told")
    }
}

impl std::error::Error for HangUp {}

impl IntoResponse for HangUp {
    fn into_response(self) -> Response {
        let mut response = ().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Answers connections until `stop`; then all of them are cut.
pub(super) async fn serve(listener: TcpListener, router: Router, tasks: TaskTracker, stop: CancellationToken) {
    stop.run_until_cancelled(async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (router, stop) = (router.clone(), stop.clone());
                    tasks.spawn(async move { stop.run_until_cancelled(connection(stream, router)).await });
                }
                // Out of file descriptors, most likely: some are freed as connections end.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await;
}

async fn connection(stream: TcpStream, router: Router) {
    // Small answers should not wait for each other; without it the simulator is only slower.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            let response =
                router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never: Infallible| match never {});
            if response.extensions().get::<HangUp>().is_some() { Err(HangUp) } else { Ok(response) }
        }
    });
    // A client that goes away, or one that was hung up on, is no failure of the simulator.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
