//! The outside services, faked over real HTTP.
//!
//! A [`Simulator`] is one server that answers as the services do and misbehaves on demand, so that tests and the demo
//! run the real clients against real connections. [`FakeTwilio`] sits behind it; what it was asked and what it sent is
//! in its [`Ledger`]. [`FakeVapi`] places calls that follow a [`CallScript`]. [`StripeSender`] plays Stripe, which only
//! sends. Faults, scripts and ledgers are reached in process and over HTTP:
//!
//! - `POST /_control/faults` adds a JSON list of [`FaultRule`]s, `GET` shows those left, `DELETE` clears them
//! - `GET /_control/ledger` shows every message and the counts of requests, `DELETE` forgets them
//! - `POST /_control/vapi/scripts` adds a JSON list of [`CallScript`]s, `DELETE` clears them
//! - `GET /_control/vapi/calls` shows every call that was placed and the counts of requests
//!
//! Nothing here is for production use: it keeps every text in memory and shows it to anybody who asks.

mod callbacks;
mod control;
mod faults;
mod ledger;
mod reserved_port;
mod segments;
mod server;
mod stripe;
mod twilio;
mod twilio_api;
mod twilio_list;
mod twilio_wire;
mod vapi;
mod vapi_account;
mod vapi_api;
mod vapi_call;
mod vapi_list;
mod vapi_schema;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use faults::{Fault, FaultRule, Match};
pub use ledger::{Ledger, Requests, SentCallback, StoredMessage};
pub use reserved_port::ReservedPort;
pub use stripe::{DeliveryAnswer, DeliveryError, StripeSender, payment_succeeded};
pub use twilio::{FakeTwilio, TwilioAccount};
pub use vapi::{FakeVapi, VapiRequests};
pub use vapi_account::VapiAccount;
pub use vapi_call::{CallScript, PlacedCall, StartScript};

/// The accounts that the simulator knows, one per service.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    /// At Twilio.
    pub twilio: TwilioAccount,
    /// At VAPI.
    pub vapi: VapiAccount,
}

/// A running server; dropping it stops it.
#[derive(Debug)]
pub struct Simulator {
    addr: SocketAddr,
    twilio: Arc<FakeTwilio>,
    vapi: Arc<FakeVapi>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Simulator {
    /// Listens on `addr` (port 0 takes a free one) and answers until stopped.
    ///
    /// # Errors
    /// The address cannot be listened on, or the client for callbacks cannot be set up.
    pub async fn start(addr: impl ToSocketAddrs, accounts: Accounts) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let twilio = FakeTwilio::new(accounts.twilio, tasks.clone(), stop.clone()).map_err(io::Error::other)?;
        let vapi = FakeVapi::new(accounts.vapi, tasks.clone(), stop.clone()).map_err(io::Error::other)?;
        let router = Router::new()
            .merge(control::router(twilio.clone()))
            .merge(twilio_api::router(twilio.clone()))
            .merge(vapi_api::router(vapi.clone()));
        tasks.spawn(server::serve(listener, router, tasks.clone(), stop.clone()));
        Ok(Self { addr, twilio, vapi, tasks, stop })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL for clients, such as `http://127.0.0.1:4010`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The fake Twilio behind it.
    #[must_use]
    pub fn twilio(&self) -> &FakeTwilio {
        &self.twilio
    }

    /// The fake VAPI behind it.
    #[must_use]
    pub fn vapi(&self) -> &FakeVapi {
        &self.vapi
    }

    /// Cuts all connections, drops callbacks that are not sent yet, and waits until everything has ended.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
