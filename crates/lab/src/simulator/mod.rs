//! Simulated outside services over real HTTP, for tests and tools only: it keeps every text in memory and shows it to
//! everybody who asks.
//!
//! A [`Simulator`] is a server with a [`FakeTwilio`], which records messages in its [`Ledger`], a [`FakeOpenPhone`], and
//! a [`FakeVapi`], whose calls follow [`CallScript`]s. All fail on demand. [`People`] answer texts as their scripts say,
//! and any text to our numbers can be sent by [`FakeTwilio::receive`], also twice, late and out of order. A
//! [`StripeSender`] delivers webhooks as Stripe does. The server can also be controlled over HTTP:
//!
//! - `POST /_control/faults` adds a JSON list of [`FaultRule`]s, `GET` returns the remaining ones, `DELETE` clears them
//! - `GET /_control/ledger` returns all messages and the request counts, `DELETE` clears them
//! - `/_control/openphone/faults` and `/_control/openphone/ledger` do the same for OpenPhone
//! - `POST /_control/openphone/webhook` sets where and in which shape ([`OpenPhoneShape`]) its webhooks are delivered
//! - `POST /_control/openphone/receive` sends a text to one of its numbers:
//!   `{"from": "+14155550199", "to": "+14155550142", "text": "YES", "media": [], "reported": true}`
//! - `PUT /_control/twilio/inbound` sets the URL of the webhook about texts from people: `{"url": "http://..."}`
//! - `POST /_control/texts` sends an [`InboundSpec`] through the `carrier` that it names, and returns a [`TextReport`]
//! - `POST /_control/people` adds a JSON list of [`Person`]s, `GET` returns them, `DELETE` removes them
//! - `POST /_control/vapi/scripts` adds a JSON list of [`CallScript`]s, `DELETE` clears them
//! - `GET /_control/vapi/calls` returns all placed calls and the request counts

mod callbacks;
mod control;
mod faults;
mod half_a_body;
mod inbound;
mod keywords;
mod ledger;
mod openphone;
mod openphone_account;
mod openphone_api;
mod openphone_carrier;
mod openphone_control;
mod openphone_events;
mod openphone_ledger;
mod openphone_list;
mod openphone_wire;
mod people;
mod people_control;
mod reserved_port;
mod segments;
mod server;
mod stripe;
mod twilio;
mod twilio_api;
mod twilio_inbound;
mod twilio_list;
mod twilio_media;
mod twilio_wire;
mod twiml;
mod vapi;
mod vapi_account;
mod vapi_api;
mod vapi_call;
mod vapi_list;
mod vapi_schema;
mod webhook_post;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use faults::{Fault, FaultRule, Match};
pub use inbound::{Arrival, Carrier, Delivery, InboundSpec, Picture, Reporting, TextReport};
pub use ledger::{
    Confirmation, Content, Direction, Ledger, ReceivedText, Requests, SentCallback, StoredMedia, StoredMessage,
};
pub use openphone::FakeOpenPhone;
pub use openphone_account::{OpenPhoneAccount, OpenPhoneShape, OpenPhoneWebhook};
pub use openphone_events::OpenPhoneEvent;
pub use openphone_ledger::{OpenPhoneLedger, OpenPhoneMessage, OpenPhoneRequests};
pub use people::{People, Person, Reaction};
pub use reserved_port::ReservedPort;
pub use stripe::{DeliveryAnswer, DeliveryError, StripeSender, payment_succeeded};
pub use twilio::{FakeTwilio, TwilioAccount};
pub use vapi::{FakeVapi, VapiRequests};
pub use vapi_account::VapiAccount;
pub use vapi_call::{CallScript, PlacedCall, StartScript};

/// The accounts that the simulator accepts, one per service.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    pub twilio: TwilioAccount,
    pub openphone: OpenPhoneAccount,
    pub vapi: VapiAccount,
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Simulator {
    addr: SocketAddr,
    twilio: Arc<FakeTwilio>,
    openphone: Arc<FakeOpenPhone>,
    vapi: Arc<FakeVapi>,
    people: Arc<People>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Simulator {
    /// Starts a server on `addr`. Port 0 chooses a free port.
    ///
    /// # Errors
    /// An error if it can't listen on the address, or the HTTP client for callbacks can't be created.
    pub async fn start(addr: impl ToSocketAddrs, accounts: Accounts) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let twilio = FakeTwilio::new(accounts.twilio, format!("http://{addr}"), tasks.clone(), stop.clone())
            .map_err(io::Error::other)?;
        let openphone =
            FakeOpenPhone::new(accounts.openphone, tasks.clone(), stop.clone()).map_err(io::Error::other)?;
        let vapi = FakeVapi::new(accounts.vapi, tasks.clone(), stop.clone()).map_err(io::Error::other)?;
        let people = People::new(vec![twilio.clone(), openphone.clone()]);
        people.wake(&tasks, &stop);
        let router = Router::new()
            .merge(control::router(twilio.clone()))
            .merge(people_control::router(people.clone(), twilio.clone()))
            .merge(twilio_api::router(twilio.clone()))
            .merge(twilio_media::router(twilio.clone()))
            .merge(openphone_control::router(openphone.clone()))
            .merge(openphone_api::router(openphone.clone()))
            .merge(vapi_api::router(vapi.clone()));
        tasks.spawn(server::serve(listener, router, tasks.clone(), stop.clone()));
        Ok(Self { addr, twilio, openphone, vapi, people, tasks, stop })
    }

    /// Returns the address on which the server listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the base URL for clients, such as `http://127.0.0.1:4010`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    #[must_use]
    pub fn twilio(&self) -> &FakeTwilio {
        &self.twilio
    }

    #[must_use]
    pub fn openphone(&self) -> &FakeOpenPhone {
        &self.openphone
    }

    #[must_use]
    pub fn vapi(&self) -> &FakeVapi {
        &self.vapi
    }

    /// Returns the people who text back.
    #[must_use]
    pub fn people(&self) -> &People {
        &self.people
    }

    /// Closes all connections, drops callbacks that are not sent yet, and waits until all tasks have ended.
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
