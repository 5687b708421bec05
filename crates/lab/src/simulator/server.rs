//! The accept loop of the simulator.
//!
//! It replaces axum's own loop, which always answers: some faults close the connection instead. For these, a handler
//! returns [`HangUp`] as its response.

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

/// A response extension that closes the connection instead of sending the response. Also the error that closes it.
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

/// Accepts connections until `stop` is cancelled, and then closes all of them.
pub(super) async fn serve(listener: TcpListener, router: Router, tasks: TaskTracker, stop: CancellationToken) {
    stop.run_until_cancelled(async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (router, stop) = (router.clone(), stop.clone());
                    tasks.spawn(async move { stop.run_until_cancelled(connection(stream, router)).await });
                }
                // Probably out of file descriptors, which become free when connections end.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await;
}

async fn connection(stream: TcpStream, router: Router) {
    // Sends small answers at once. If it fails, the simulator is only slower.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            let response =
                router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never: Infallible| match never {});
            if response.extensions().get::<HangUp>().is_some() { Err(HangUp) } else { Ok(response) }
        }
    });
    // An error here means that the client or a fault closed the connection, which is expected.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
