//! `nightshift demo`: starts the program as the demo wants it, and lets the lab play with it.
//!
//! The demo uses none of the installation's settings but where to listen and what to log, so it can neither text real
//! people nor touch real data.

use std::convert::Infallible;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use nightshift_db::Clock;
use nightshift_domain::access::api_keys;
use nightshift_lab::demo::{Demo, STRIPE_SECRET};
use nightshift_lab::simulator::Accounts;
use nightshift_providers::openphone::signature::Key;
use secrecy::{ExposeSecret, SecretString};

use super::console::Terminal;
use super::signals::Signals;
use crate::app::{self, Role};
use crate::config::{Environment, Settings, SmsProvider};

const GRACE: Duration = Duration::from_secs(5);

/// Where, and for how long.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nightshift demo                  play it, and leave the server up to look around
  nightshift demo --exit           play it and end; exit code 1 when a step gave an unexpected result
  nightshift demo --exit --database-url postgres://user:password@host/scratch")]
pub(super) struct Args {
    /// Exit after the demo.
    #[arg(long)]
    exit: bool,
    /// Use this database instead of a fresh SQLite file. It is migrated and filled with a sample business.
    #[arg(long, value_name = "URL", value_parser = |url: &str| Ok::<_, Infallible>(SecretString::from(url)))]
    database_url: Option<SecretString>,
}

pub(super) async fn run(args: Args, installed: Settings) -> anyhow::Result<ExitCode> {
    if installed.environment == Environment::Production && args.database_url.is_some() {
        bail!("in production the demo uses its own database, because it creates users with a public password");
    }
    let mut signals = Signals::listen()?;
    let demo = Demo::prepare(args.database_url, args.exit).await?;
    let settings = settings(&installed, &demo, args.exit)?;
    let database = settings.database.shown();
    let app = app::start(settings, Clock::system(), Role::ALL).await?;
    let (db, console) = (app.db.clone(), Terminal::default());
    let played = demo.play(&app.url(), &app.queue, &database, &console).await?;
    let code = if args.exit {
        played.code()
    } else {
        played.invite(&app.url(), &console);
        signals.next().await;
        ExitCode::SUCCESS
    };
    app.stop(GRACE).await;
    db.close().await;
    demo.stop().await;
    Ok(code)
}

/// The built-in settings, pointed at the demo's database and its simulated providers.
fn settings(installed: &Settings, demo: &Demo, exit: bool) -> anyhow::Result<Settings> {
    let (providers, Accounts { twilio, openphone, vapi }) = (demo.providers_url(), Accounts::default());
    let mut settings = Settings::built_in()?;
    settings.log = installed.log.clone();
    settings.http.host = "127.0.0.1".to_owned();
    // Nobody visits a demo that ends by itself, so it stays out of the way of a server that may be running.
    settings.http.port = if exit { 0 } else { installed.http.port };
    settings.database.url = demo.database_url();
    settings.auth.session_secret = Some(api_keys::random_secret().into());
    settings.webhooks.validation = true;
    settings.webhooks.stripe_secrets = vec![STRIPE_SECRET.into()];
    settings.messaging.sms_provider = SmsProvider::Twilio;
    settings.twilio.base_url.clone_from(&providers);
    settings.twilio.account_sid = Some(twilio.account_sid);
    settings.twilio.auth_tokens = vec![twilio.auth_token];
    settings.openphone.base_url.clone_from(&providers);
    settings.openphone.api_key = Some(openphone.api_key);
    let keys = openphone.webhook_secrets.iter().map(|secret| Key::read(secret.expose_secret()));
    settings.webhooks.openphone_secrets = keys.collect::<Result<_, _>>()?;
    settings.calls.live = true;
    // A day is short here.
    settings.calls.poll_interval = Duration::from_millis(300);
    settings.vapi.base_url = providers;
    settings.vapi.api_key = Some(vapi.api_key);
    settings.vapi.assistant_id = Some(vapi.assistant_id);
    settings.vapi.phone_number_id = Some(vapi.phone_number_id);
    settings.webhooks.vapi_secrets = vec!["demo-only".into()];
    Ok(settings)
}
