//! A network that can be made worse.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// It arrives.
    Fair,
    /// It arrives later.
    Slow(Duration),
    /// What is asked arrives, what is answered does not.
    Unanswered,
    /// Nothing arrives, and nobody is told: the other end is gone without a word. Connections that saw this weather
    /// stay dead when it is over.
    Gone,
    /// Connections break, new ones too.
    Cut,
}

/// A way to a server that leads over this network.
#[derive(Debug)]
pub struct Network {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    accepting: AbortHandle,
}

impl Network {
    /// A way to `server`, in fair weather.
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

    /// Where the way begins.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather.
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
    // Without a sender the test is over.
    let _ = weather.wait_for(|now| what(*now)).await;
}

/// Ends when the sender has ended; what is lost is waited for by the other side for ever.
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
