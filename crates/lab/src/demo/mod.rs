//! `nightshift demo`: a paid booking from the webhook to the delivered text, a wrong price that the price check finds,
//! clients and sitters who text back, and a call that books an appointment, over real HTTP with simulated providers.
//!
//! [`Demo::prepare`] chooses a database and starts the simulated providers. The caller starts the program with both, in
//! the same roles as `serve`. [`Demo::play`] sends the requests of a website and of Stripe, and checks the results
//! through the API.

mod call;
mod database;
mod day;
mod offer;
mod prices;
mod session;
mod talk;
mod trail;

use std::process::ExitCode;

use anyhow::Context;
use nightshift_domain::access::api_keys::{self, Scope};
use nightshift_domain::seed::Seed;
use nightshift_jobs::{Enqueuer, load_seed};
use nightshift_queue::Queue;
use secrecy::{ExposeSecret, SecretString};

use crate::console::Console;
use crate::simulator::{Accounts, Simulator};
use database::Place;
use day::Cast;
use trail::Trail;

/// The sample business, which is also the example file for `nightshift seed`.
pub const SEED: &str = include_str!("../../../../config/demo-seed.json");
/// The secret with which the simulated Stripe signs webhooks.
pub const STRIPE_SECRET: &str = "whsec_demo_only";

/// A database and running simulated providers, with which the caller starts the program.
pub struct Demo {
    place: Place,
    simulator: Simulator,
}

/// The result of a demo.
pub struct Played {
    code: ExitCode,
    key: SecretString,
    request: Option<String>,
}

impl Demo {
    /// Starts the simulated providers and chooses the database: `named`, or a fresh SQLite file if that is `None`. A
    /// `passing` file is removed when the demo is dropped.
    ///
    /// # Errors
    /// An error if the file can't be replaced, its folder can't be created, or no port is free.
    pub async fn prepare(named: Option<SecretString>, passing: bool) -> anyhow::Result<Self> {
        let place = Place::choose(named, passing)?;
        let simulator = Simulator::start("127.0.0.1:0", Accounts::default());
        Ok(Self { place, simulator: simulator.await.context("the simulated providers can't be started")? })
    }

    #[must_use]
    pub fn database_url(&self) -> SecretString {
        self.place.url()
    }

    /// Returns the base URL of the simulated Twilio and VAPI, which know the default [`Accounts`].
    #[must_use]
    pub fn providers_url(&self) -> String {
        self.simulator.base_url()
    }

    /// Loads the sample business into the program's database, and runs the demo against the program at `url`.
    /// `database` is the database's address without secrets, for display.
    ///
    /// # Errors
    /// An error if the sample business can't be loaded. Later errors are printed, and [`Played::code`] reports them.
    pub async fn play(
        &self,
        url: &str,
        queue: &Queue,
        database: &str,
        console: &dyn Console,
    ) -> anyhow::Result<Played> {
        let key = fill(queue).await?;
        let providers = self.providers_url();
        console.say(format_args!(
            "Nightshift plays a day. Server {url}, simulated providers {providers}, database {database}"
        ));
        console.say(format_args!(""));
        let cast = Cast::new(url.to_owned(), key.clone(), STRIPE_SECRET.into(), &self.simulator, queue)?;
        self.simulator.twilio().set_inbound_url(format!("{url}/api/twilio/inbound#rc=3&rp=ct,rt,5xx"));
        let mut trail = Trail::start(console);
        let played = async {
            let paid = day::play(&cast, &mut trail).await?;
            prices::play(&cast, &mut trail, &paid.booking).await?;
            talk::play(&cast, &mut trail, &paid).await?;
            offer::play(&cast, &mut trail, &paid.booking).await
        };
        if let Err(error) = played.await {
            trail.wrong(format_args!("{error:#}"));
        }
        let request = match call::play(&cast, &mut trail).await {
            Ok(url) => Some(url),
            Err(error) => {
                trail.wrong(format_args!("{error:#}"));
                None
            }
        };
        Ok(Played { code: trail.end(), key, request })
    }

    /// Stops the simulated providers, and removes a temporary database.
    pub async fn stop(self) {
        self.simulator.stop().await;
    }
}

impl Played {
    /// Returns exit code 1 if a step gave an unexpected result.
    #[must_use]
    pub fn code(&self) -> ExitCode {
        self.code
    }

    /// Prints what the user can look at while the program keeps running.
    pub fn invite(&self, url: &str, console: &dyn Console) {
        let key = self.key.expose_secret();
        console.say(format_args!(""));
        console.say(format_args!("The server stays up; Ctrl-C ends it. Look around:"));
        console.say(format_args!("  curl -H 'Authorization: Bearer {key}' {url}/api/bookings"));
        if let Some(page) = &self.request {
            console.say(format_args!("  {page}"));
        }
        console.say(format_args!(
            "  {url}/exceptions  (owner@happy-paws.example or ops@nightshift.example, password: happy paws demo)"
        ));
        console.say(format_args!("  curl {url}/readyz"));
        console.say(format_args!("  curl {url}/metrics"));
    }
}

/// Loads the sample business and creates the website's API key.
async fn fill(queue: &Queue) -> anyhow::Result<SecretString> {
    let now = queue.clock().now();
    let business = Seed::parse(SEED).context("the built-in seed")?;
    let mut tx = queue.db().begin().await?;
    load_seed(&Enqueuer::of_request(queue), &mut tx, &business)
        .await
        .context("the built-in seed can't be loaded into this database")?;
    let scopes = [Scope::BookingsRead, Scope::BookingsWrite, Scope::MessagesRead, Scope::RequestsWrite].into();
    let issued = api_keys::create(&mut tx, Some(&day::ORGANISATION.into()), "demo website", &scopes, now).await?;
    tx.commit().await?;
    Ok(issued.text)
}
