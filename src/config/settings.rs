//! The typed settings. `config/default.toml` documents what each of them means.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::Tz;
use nightshift_db::DbOptions;
use nightshift_domain::calls::Dialing;
use nightshift_domain::phone::PhoneNumber;
use nightshift_domain::reconciliation::Thresholds;
use nightshift_providers::openphone;
use nightshift_providers::twilio::signature::SharedKey;
use nightshift_queue::schedule::Timetable;
use secrecy::{ExposeSecret, SecretString};

use super::error::ConfigError;
use super::layers::{Environment, Layers, Sources};
use super::read::Reader;

#[derive(Debug, Clone)]
pub struct Settings {
    pub environment: Environment,
    pub http: Http,
    pub database: Database,
    pub auth: Auth,
    pub webhooks: Webhooks,
    pub messaging: Messaging,
    pub twilio: Twilio,
    pub openphone: OpenPhone,
    pub onboarding: Onboarding,
    pub calls: Calls,
    pub vapi: Vapi,
    pub reconciliation: Reconciliation,
    pub worker: Worker,
    pub log: Log,
}

/// Section `[http]`: the server and its limits.
#[derive(Debug, Clone)]
pub struct Http {
    /// The address on which the server listens.
    pub host: String,
    /// The port on which the server listens. 0 takes a free one.
    pub port: u16,
    /// The URL in the settings, without a default. See [`Settings::public_url`].
    pub public_url: Option<String>,
    /// Whether development may listen on addresses that other machines can reach.
    pub allow_open_development: bool,
    /// Requests per minute and session, API key or address.
    pub rate_limit_per_minute: u32,
    /// Webhooks per minute and address that are not verified.
    pub webhook_rate_limit_per_minute: u32,
    /// The maximum number of requests that run at the same time.
    pub requests_in_flight_max: usize,
    /// The maximum body of a webhook, in bytes.
    pub webhook_body_bytes_max: usize,
    /// The maximum body of other requests, in bytes.
    pub body_bytes_max: usize,
    /// The timeout for receiving the headers of a request.
    pub header_timeout: Duration,
    /// The timeout from the headers of a request to its response.
    pub request_timeout: Duration,
    /// The token for `/metrics`. Without one only this machine can read metrics.
    pub metrics_token: Option<SecretString>,
}

/// Section `[database]`.
#[derive(Debug, Clone)]
pub struct Database {
    /// The URL, which may contain a password.
    pub url: SecretString,
    /// The maximum number of PostgreSQL connections of this process.
    pub connections_max: u32,
    /// The timeout for getting a connection from the pool.
    pub acquire_timeout: Duration,
    /// Whether `serve` applies missing migrations.
    pub auto_migrate: bool,
}

/// Section `[auth]`.
#[derive(Debug, Clone)]
pub struct Auth {
    /// Whether callers must authenticate.
    pub enabled: bool,
    /// Signs sessions and links. Always set in a running program.
    pub session_secret: Option<SecretString>,
}

/// Section `[webhooks]`.
#[derive(Debug, Clone)]
pub struct Webhooks {
    /// Whether unsigned webhooks are refused.
    pub validation: bool,
    /// Whether production may start without `validation`.
    pub allow_unverified: bool,
    /// Stripe's signing secrets. A signature by any of them is valid.
    pub stripe_secrets: Vec<SecretString>,
    /// OpenPhone's signing keys. A signature by any of them is valid.
    pub openphone_secrets: Vec<openphone::signature::Key>,
    /// VAPI's secrets. A proof by any of them is valid, and the first is given to VAPI.
    pub vapi_secrets: Vec<SecretString>,
    pub retired_secrets: RetiredSecrets,
}

/// Section `[webhooks.retired_secrets]`: secrets under which nothing is accepted any more. They explain refusals.
#[derive(Debug, Clone, Default)]
pub struct RetiredSecrets {
    pub stripe: Vec<SecretString>,
    pub openphone: Vec<openphone::signature::Key>,
    /// Auth tokens.
    pub twilio: Vec<SecretString>,
    pub vapi: Vec<SecretString>,
}

/// Whether texts are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmsProvider {
    /// Accepts texts and sends none.
    Mock,
    /// Each number sends through its own carrier.
    Twilio,
}

/// Section `[messaging]`.
#[derive(Debug, Clone)]
pub struct Messaging {
    pub sms_provider: SmsProvider,
    /// How long a window stays open after the end of its booking.
    pub window_grace: Duration,
    /// How long a sitter may answer an offer, unless its request says otherwise.
    pub offer_ttl: Duration,
}

/// Section `[twilio]`.
#[derive(Debug, Clone)]
pub struct Twilio {
    /// Starts with `AC`.
    pub account_sid: Option<String>,
    /// Sending uses the first token. A signature by any of them is valid.
    pub auth_tokens: Vec<SecretString>,
    /// Keys that sign webhooks instead of a token.
    pub shared_keys: Vec<SharedKey>,
    /// Starts with `SK`. With its secret it replaces the auth token for sending.
    pub api_key_sid: Option<String>,
    pub api_key_secret: Option<SecretString>,
    pub base_url: String,
    /// How long the answer to an inbound text waits for the reply to it.
    pub reply_wait: Duration,
    /// How long the answer may take to get hold of the reply, and again to find out whether it has it.
    pub reply_take: Duration,
    /// The most answers that wait for a reply at a time.
    pub replies_awaited_max: usize,
}

/// Section `[openphone]`.
#[derive(Debug, Clone)]
pub struct OpenPhone {
    /// Without a key, texts of OpenPhone numbers fail.
    pub api_key: Option<SecretString>,
    pub base_url: String,
}

/// Section `[onboarding]`.
#[derive(Debug, Clone)]
pub struct Onboarding {
    /// The number to which new businesses write.
    pub number: PhoneNumber,
}

/// Section `[calls]`.
#[derive(Debug, Clone)]
pub struct Calls {
    /// Whether calls are real. If not, they are simulated.
    pub live: bool,
    /// If not empty, all real calls go to the first number.
    pub test_phones: Vec<PhoneNumber>,
    /// The interval between two polls of a call.
    pub poll_interval: Duration,
    /// The number of polls after which a call has timed out.
    pub max_polls: i64,
}

/// Section `[vapi]`.
#[derive(Debug, Clone)]
pub struct Vapi {
    pub api_key: Option<SecretString>,
    /// The assistant that speaks.
    pub assistant_id: Option<String>,
    /// The number from which calls are placed.
    pub phone_number_id: Option<String>,
    /// The credential stored at VAPI that authenticates its reports.
    pub credential_id: Option<String>,
    pub base_url: String,
}

/// Section `[reconciliation]`.
#[derive(Debug, Clone)]
pub struct Reconciliation {
    /// When prices are checked.
    pub schedule: Timetable,
    /// The time zone of the schedule. `None` uses each organisation's own.
    pub timezone: Option<Tz>,
    /// The number of bookings that are compared and recorded in one transaction.
    pub chunk_size: i64,
    /// Bookings that ended earlier than this long ago are not checked.
    pub lookback: Duration,
    /// The sizes from which a difference counts.
    pub thresholds: Thresholds,
}

/// Section `[worker]`.
#[derive(Debug, Clone)]
pub struct Worker {
    /// The queues to run. Empty runs all of them.
    pub queues: Vec<String>,
    /// How long running jobs may continue after SIGTERM.
    pub shutdown_grace: Duration,
    /// The number of concurrent jobs by queue.
    pub concurrency: BTreeMap<String, usize>,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for terminals.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// Section `[log]`.
#[derive(Debug, Clone)]
pub struct Log {
    pub format: LogFormat,
    /// A level, or directives such as `info,nightshift_queue=debug`.
    pub filter: String,
}

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// Returns [`ConfigError`], which names the key, its origin and what is allowed.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let layers = Layers::collect(sources)?;
        Self::read(&mut Reader::new(&layers), layers.environment)
    }

    /// Returns the defaults of development, without environment variables and files.
    ///
    /// # Errors
    /// Returns an error only if the embedded file is invalid, which a test rules out.
    pub fn built_in() -> Result<Self, ConfigError> {
        Self::load(&Sources::default())
    }

    pub(super) fn read(from: &mut Reader<'_>, environment: Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            environment,
            http: Http {
                host: from.text("http.host")?,
                port: from.number("http.port", 0..=u16::MAX)?,
                public_url: from.base_url("http.public_url")?,
                allow_open_development: from.flag("http.allow_open_development")?,
                rate_limit_per_minute: from.number("http.rate_limit_per_minute", 1..=1_000_000_000)?,
                webhook_rate_limit_per_minute: from.number("http.webhook_rate_limit_per_minute", 1..=1_000_000_000)?,
                requests_in_flight_max: from.number("http.requests_in_flight_max", 1..=1_000_000)?,
                webhook_body_bytes_max: from.number("http.webhook_body_bytes_max", 1..=16 << 20)?,
                body_bytes_max: from.number("http.body_bytes_max", 1..=64 << 20)?,
                header_timeout: from.millis("http.header_timeout_ms", 1..=600_000)?,
                request_timeout: from.millis("http.request_timeout_ms", 1..=600_000)?,
                metrics_token: from.secret("http.metrics_token")?,
            },
            database: Database {
                url: from.checked_secret(
                    "database.url",
                    "sqlite://path/to/file.db, postgres://user:password@host/name",
                    |url| ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)),
                )?,
                connections_max: from.number("database.connections_max", 1..=1_000)?,
                acquire_timeout: from.millis("database.acquire_timeout_ms", 1..=600_000)?,
                auto_migrate: from.flag("database.auto_migrate")?,
            },
            auth: Auth { enabled: from.flag("auth.enabled")?, session_secret: from.secret("auth.session_secret")? },
            webhooks: Webhooks {
                validation: from.flag("webhooks.validation")?,
                allow_unverified: from.flag("webhooks.allow_unverified")?,
                stripe_secrets: from.secrets("webhooks.stripe_secrets")?,
                openphone_secrets: openphone_keys(from, "webhooks.openphone_secrets")?,
                vapi_secrets: from.secrets("webhooks.vapi_secrets")?,
                retired_secrets: RetiredSecrets {
                    stripe: from.secrets("webhooks.retired_secrets.stripe")?,
                    openphone: openphone_keys(from, "webhooks.retired_secrets.openphone")?,
                    twilio: from.secrets("webhooks.retired_secrets.twilio")?,
                    vapi: from.secrets("webhooks.retired_secrets.vapi")?,
                },
            },
            messaging: Messaging {
                sms_provider: from.choice(
                    "messaging.sms_provider",
                    &[("mock", SmsProvider::Mock), ("twilio", SmsProvider::Twilio)],
                )?,
                window_grace: from
                    .number("messaging.window_grace_minutes", 0..=10_080)
                    .map(|minutes: u64| Duration::from_secs(minutes * 60))?,
                offer_ttl: from
                    .number("messaging.offer_ttl_minutes", 1..=10_080)
                    .map(|minutes: u64| Duration::from_secs(minutes * 60))?,
            },
            twilio: Twilio {
                account_sid: from.optional("twilio.account_sid")?,
                auth_tokens: from.secrets("twilio.auth_tokens")?,
                shared_keys: from.checked_list("twilio.shared_keys", "webhooks_sharedkey_...:SECRET", |text| {
                    let (name, secret) =
                        text.split_once(':').filter(|(name, secret)| !name.is_empty() && !secret.is_empty())?;
                    Some(SharedKey { name: name.to_owned(), secret: secret.into() })
                })?,
                api_key_sid: from.optional("twilio.api_key_sid")?,
                api_key_secret: from.secret("twilio.api_key_secret")?,
                base_url: from
                    .base_url("twilio.base_url")?
                    .unwrap_or_else(|| nightshift_providers::twilio::client::BASE_URL.to_owned()),
                // Together less than the 15 s after which Twilio gives up.
                reply_wait: from.millis("twilio.reply_wait_ms", 0..=8_000)?,
                reply_take: from.millis("twilio.reply_take_ms", 1..=3_000)?,
                replies_awaited_max: from.number("twilio.replies_awaited_max", 0..=10_000)?,
            },
            openphone: OpenPhone {
                api_key: from.secret("openphone.api_key")?,
                base_url: from
                    .base_url("openphone.base_url")?
                    .unwrap_or_else(|| nightshift_providers::openphone::client::BASE_URL.to_owned()),
            },
            onboarding: Onboarding {
                number: from.parse(
                    "onboarding.number",
                    "an international phone number such as +447476955179",
                    |text| PhoneNumber::read(text, None).ok(),
                )?,
            },
            calls: Calls {
                // Only the exact word enables real calls, so that a typing error can't.
                live: from.is_exactly("calls.live", "true")?,
                test_phones: phones(from)?,
                poll_interval: from.millis("calls.poll_interval_ms", 1..=600_000)?,
                max_polls: from.number("calls.max_polls", 1..=100_000)?,
            },
            vapi: Vapi {
                api_key: from.secret("vapi.api_key")?,
                assistant_id: from.optional("vapi.assistant_id")?,
                phone_number_id: from.optional("vapi.phone_number_id")?,
                credential_id: from.optional("vapi.credential_id")?,
                base_url: from
                    .base_url("vapi.base_url")?
                    .unwrap_or_else(|| nightshift_providers::vapi::client::BASE_URL.to_owned()),
            },
            reconciliation: Reconciliation {
                schedule: from.parse(
                    "reconciliation.schedule",
                    "a cron expression such as 0 0 2 * * * (second minute hour day month weekday)",
                    |text| text.parse().ok(),
                )?,
                timezone: from.parse("reconciliation.timezone", "an IANA name such as Europe/London", |text| {
                    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
                })?,
                chunk_size: from.number("reconciliation.chunk_size", 1..=10_000)?,
                lookback: from
                    .number("reconciliation.lookback_days", 0..=36_500)
                    .map(|days: u64| Duration::from_secs(days * 24 * 3600))?,
                thresholds: Thresholds {
                    high_minor: from.number("reconciliation.high_minor", 0..=i64::MAX)?,
                    high_percent: from.number("reconciliation.high_percent", 0..=1_000_000)?,
                    medium_minor: from.number("reconciliation.medium_minor", 0..=i64::MAX)?,
                    medium_percent: from.number("reconciliation.medium_percent", 0..=1_000_000)?,
                },
            },
            worker: Worker {
                queues: from.list("worker.queues")?,
                shutdown_grace: from.number("worker.shutdown_grace_seconds", 0..=3_600).map(Duration::from_secs)?,
                concurrency: concurrency(from)?,
            },
            log: Log {
                format: from.choice("log.format", &[("pretty", LogFormat::Pretty), ("json", LogFormat::Json)])?,
                filter: from.parse(
                    "log.filter",
                    "error, warn, info, debug, trace, or directives such as info,nightshift_queue=debug",
                    |text| tracing_subscriber::EnvFilter::try_new(text).ok().map(|_| text.to_owned()),
                )?,
            },
        })
    }

    /// Returns the base URL under which providers reach this program. The default is the address on which it listens.
    #[must_use]
    pub fn public_url(&self) -> String {
        self.http.public_url.clone().unwrap_or_else(|| {
            let Http { host, port, .. } = &self.http;
            if host.contains(':') { format!("http://[{host}]:{port}") } else { format!("http://{host}:{port}") }
        })
    }

    /// Returns the folder for files that the program stores beside its database.
    #[must_use]
    pub fn data_folder(&self) -> PathBuf {
        let url = self.database.url.expose_secret();
        let file = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).map(Path::new);
        let beside = file.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
        match (file, beside) {
            (Some(_), Some(folder)) => folder.to_owned(),
            (Some(_), None) => PathBuf::from("."),
            (None, _) => PathBuf::from("data"),
        }
    }
}

impl Calls {
    /// Returns whom calls may reach.
    #[must_use]
    pub fn dialing(&self) -> Dialing {
        Dialing::decide(self.live, self.test_phones.first())
    }
}

impl Database {
    /// Returns the URL including secrets, for the database driver only.
    pub(crate) fn url_text(&self) -> &str {
        self.url.expose_secret()
    }

    #[must_use]
    pub fn options(&self) -> DbOptions {
        DbOptions {
            connections_max: self.connections_max,
            acquire_timeout: self.acquire_timeout,
            ..DbOptions::default()
        }
    }

    /// Returns the URL without user and password, for messages.
    #[must_use]
    pub fn shown(&self) -> String {
        let url = self.url.expose_secret();
        let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
        // The parameters after the question mark may contain a password too.
        let rest = rest.split('?').next().unwrap_or_default();
        let rest = rest.rsplit_once('@').map_or(rest, |(_, host_and_path)| host_and_path);
        format!("{scheme}://{rest}")
    }
}

fn openphone_keys(from: &mut Reader<'_>, key: &'static str) -> Result<Vec<openphone::signature::Key>, ConfigError> {
    let allowed = "base64 as OpenPhone shows it, with or without whsec_ in front";
    from.checked_list(key, allowed, |text| openphone::signature::Key::read(text).ok())
}

fn phones(from: &mut Reader<'_>) -> Result<Vec<PhoneNumber>, ConfigError> {
    let allowed = "international phone numbers such as +15551234567";
    from.checked_list("calls.test_phones", allowed, |text| PhoneNumber::read(text, None).ok())
}

fn concurrency(from: &mut Reader<'_>) -> Result<BTreeMap<String, usize>, ConfigError> {
    const KEYS: [&str; 7] = [
        "worker.concurrency.webhooks",
        "worker.concurrency.bookings",
        "worker.concurrency.calls",
        "worker.concurrency.sms",
        "worker.concurrency.reconciliation",
        "worker.concurrency.metrics",
        "worker.concurrency.maintenance",
    ];
    let mut by_queue = BTreeMap::new();
    for key in KEYS {
        let queue = key.rsplit('.').next().unwrap_or(key).to_owned();
        by_queue.insert(queue, from.number(key, 1..=10_000)?);
    }
    Ok(by_queue)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_default_file_is_read() {
        let layers = Layers::collect(&Sources::default()).unwrap();
        let mut reader = Reader::new(&layers);
        Settings::read(&mut reader, layers.environment).unwrap();
        let read: Vec<_> = reader.keys_read().iter().map(|key| (*key).to_owned()).collect();
        assert_eq!(read, layers.keys().map(str::to_owned).collect::<Vec<_>>());
    }

    #[test]
    fn a_database_address_is_shown_without_its_password() {
        let mut settings = Settings::built_in().unwrap();
        assert_eq!(settings.database.shown(), "sqlite://data/nightshift.db");
        settings.database.url = "postgres://joe:se/cret@db.example:5432/shop?password=x".into();
        assert!(!settings.database.shown().contains("se"), "{}", settings.database.shown());
        settings.database.url = "postgres://joe:secret@db.example:5432/shop?password=secret".into();
        assert_eq!(settings.database.shown(), "postgres://db.example:5432/shop");
        assert!(!format!("{settings:?}").contains("secret@"));
    }
}
