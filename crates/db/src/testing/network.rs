//! A TCP proxy that can delay, lose or cut the traffic to a server.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// How the network treats traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Passes everything on.
    Fair,
    /// Passes everything on after a delay.
    Slow(Duration),
    /// Passes requests on and discards answers.
    Unanswered,
    /// Discards everything without closing connections, as if the other end had vanished. Connections that existed
    /// meanwhile stay dead afterwards.
    Gone,
    /// Closes all connections, new ones included.
    Cut,
}

/// A listening proxy to one server.
#[derive(Debug)]
pub struct Network {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    accepting: AbortHandle,
}

impl Network {
    /// Starts a proxy to `server` that passes everything on.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let weather = watch::Sender::new(Weather::Fair);
        let changes = weather.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, server, changes.subscribe()));
            }
        });
        Self { address, weather, accepting: accepting.abort_handle() }
    }

    /// Returns the address on which the proxy listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn connect(client: TcpStream, server: SocketAddr, weather: watch::Receiver<Weather>) {
    if *weather.borrow() == Weather::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut cut = weather.clone();
    tokio::select! {
        () = becomes(&mut cut, |weather| weather == Weather::Cut) => {}
        ((), ()) = async {
            tokio::join!(
                pass_on(from_client, to_server, weather.clone(), false),
                pass_on(from_server, to_client, weather, true),
            )
        } => {}
    }
}

async fn becomes(weather: &mut watch::Receiver<Weather>, what: impl Fn(Weather) -> bool) {
    // A closed channel means that the test is over.
    let _ = weather.wait_for(|now| what(*now)).await;
}

/// Passes bytes on until the sender closes. After a loss it never returns, so that the other side keeps waiting.
async fn pass_on(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
    answers: bool,
) {
    let lost = |weather: Weather| weather == Weather::Gone || (answers && weather == Weather::Unanswered);
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            biased;
            () = becomes(&mut weather, lost) => return std::future::pending().await,
            read = from.read(&mut bytes) => read,
        };
        let Ok(length @ 1..) = read else { return };
        let now = *weather.borrow();
        if let Weather::Slow(delay) = now {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
