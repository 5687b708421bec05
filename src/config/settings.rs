//! The settings as the program uses them. What each means is told once, in `config/default.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::Tz;
use nightshift_db::DbOptions;
use nightshift_domain::calls::Dialing;
use nightshift_domain::phone::PhoneNumber;
use nightshift_domain::reconciliation::Thresholds;
use nightshift_queue::schedule::Timetable;
use secrecy::{ExposeSecret, SecretString};

use super::error::ConfigError;
use super::layers::{Environment, Layers, Sources};
use super::read::Reader;

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Development or production.
    pub environment: Environment,
    /// `[http]`
    pub http: Http,
    /// `[database]`
    pub database: Database,
    /// `[auth]`
    pub auth: Auth,
    /// `[webhooks]`
    pub webhooks: Webhooks,
    /// `[messaging]`
    pub messaging: Messaging,
    /// `[twilio]`
    pub twilio: Twilio,
    /// `[calls]`
    pub calls: Calls,
    /// `[vapi]`
    pub vapi: Vapi,
    /// `[reconciliation]`
    pub reconciliation: Reconciliation,
    /// `[worker]`
    pub worker: Worker,
    /// `[log]`
    pub log: Log,
}

/// `[http]`: where and how requests are taken.
#[derive(Debug, Clone)]
pub struct Http {
    /// Address to listen on.
    pub host: String,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// Address that providers use, as it was set; see [`Settings::public_url`].
    pub public_url: Option<String>,
    /// Whether development may be reached by others.
    pub allow_open_development: bool,
    /// Per minute and API key, session or address.
    pub rate_limit_per_minute: u32,
    /// Per minute and address, for webhooks.
    pub webhook_rate_limit_per_minute: u32,
    /// Requests worked on at a time.
    pub requests_in_flight_max: usize,
    /// Largest webhook, in bytes.
    pub webhook_body_bytes_max: usize,
    /// Largest other body, in bytes.
    pub body_bytes_max: usize,
    /// Time for a client to send its headers.
    pub header_timeout: Duration,
    /// Time from headers to answer.
    pub request_timeout: Duration,
    /// Opens `/metrics` to other machines.
    pub metrics_token: Option<SecretString>,
}

/// `[database]`
#[derive(Debug, Clone)]
pub struct Database {
    /// Its address, which may hold a password.
    pub url: SecretString,
    /// PostgreSQL connections of this process.
    pub connections_max: u32,
    /// Wait for a connection.
    pub acquire_timeout: Duration,
    /// Whether `serve` migrates.
    pub auto_migrate: bool,
}

/// `[auth]`
#[derive(Debug, Clone)]
pub struct Auth {
    /// Whether callers must prove who they are.
    pub enabled: bool,
    /// Signs sessions and links. A running program always has one.
    pub session_secret: Option<SecretString>,
}

/// `[webhooks]`
#[derive(Debug, Clone)]
pub struct Webhooks {
    /// Whether unsigned webhooks are refused.
    pub validation: bool,
    /// Whether production may start without validation.
    pub allow_unverified: bool,
    /// Stripe's signing secrets.
    pub stripe_secrets: Vec<SecretString>,
    /// VAPI's; the first is given to it.
    pub vapi_secrets: Vec<SecretString>,
}

/// The service that texts go out through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmsProvider {
    /// None: texts are taken and sent nowhere.
    Mock,
    /// Twilio or its simulator.
    Twilio,
}

/// `[messaging]`
#[derive(Debug, Clone)]
pub struct Messaging {
    /// The service.
    pub sms_provider: SmsProvider,
    /// How long a window stays open after its booking's end.
    pub window_grace: Duration,
}

/// `[twilio]`
#[derive(Debug, Clone)]
pub struct Twilio {
    /// `AC...`
    pub account_sid: Option<String>,
    /// The first sends, all verify.
    pub auth_tokens: Vec<SecretString>,
    /// `SK...`; with its secret it sends instead of the auth token.
    pub api_key_sid: Option<String>,
    /// The API key's secret.
    pub api_key_secret: Option<SecretString>,
    /// Address of the API.
    pub base_url: String,
}

/// `[calls]`
#[derive(Debug, Clone)]
pub struct Calls {
    /// Whether calls are real.
    pub live: bool,
    /// The first gets all real calls, when there is one.
    pub test_phones: Vec<PhoneNumber>,
    /// Between two looks at a call.
    pub poll_interval: Duration,
    /// Looks after which a call has not ended in time.
    pub max_polls: i64,
}

/// `[vapi]`
#[derive(Debug, Clone)]
pub struct Vapi {
    /// Private key.
    pub api_key: Option<SecretString>,
    /// Who speaks.
    pub assistant_id: Option<String>,
    /// The number that calls.
    pub phone_number_id: Option<String>,
    /// Credential, stored at VAPI, that proves its reports.
    pub credential_id: Option<String>,
    /// Address of the API.
    pub base_url: String,
}

/// `[reconciliation]`
#[derive(Debug, Clone)]
pub struct Reconciliation {
    /// When prices are checked.
    pub schedule: Timetable,
    /// In which zone; each organisation's own when none.
    pub timezone: Option<Tz>,
    /// Bookings compared and recorded at a time.
    pub chunk_size: i64,
    /// Bookings that ended longer ago are left alone.
    pub lookback: Duration,
    /// Which differences matter.
    pub thresholds: Thresholds,
}

/// `[worker]`
#[derive(Debug, Clone)]
pub struct Worker {
    /// Queues to run; all when empty.
    pub queues: Vec<String>,
    /// Time to finish at SIGTERM.
    pub shutdown_grace: Duration,
    /// Jobs at a time by queue.
    pub concurrency: BTreeMap<String, usize>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// `[log]`
#[derive(Debug, Clone)]
pub struct Log {
    /// How lines look.
    pub format: LogFormat,
    /// Level or directives.
    pub filter: String,
}

impl Settings {
    /// Reads the settings of this process.
    ///
    /// # Errors
    /// [`ConfigError`], which names the key, its origin and what is allowed.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let layers = Layers::collect(sources)?;
        Self::read(&mut Reader::new(&layers), layers.environment)
    }

    /// The defaults of development, whatever the environment variables and files say.
    ///
    /// # Errors
    /// Never, unless the built-in file is broken, which a test rules out.
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
                vapi_secrets: from.secrets("webhooks.vapi_secrets")?,
            },
            messaging: Messaging {
                sms_provider: from.choice(
                    "messaging.sms_provider",
                    &[("mock", SmsProvider::Mock), ("twilio", SmsProvider::Twilio)],
                )?,
                window_grace: from
                    .number("messaging.window_grace_minutes", 0..=10_080)
                    .map(|minutes: u64| Duration::from_secs(minutes * 60))?,
            },
            twilio: Twilio {
                account_sid: from.optional("twilio.account_sid")?,
                auth_tokens: from.secrets("twilio.auth_tokens")?,
                api_key_sid: from.optional("twilio.api_key_sid")?,
                api_key_secret: from.secret("twilio.api_key_secret")?,
                base_url: from
                    .base_url("twilio.base_url")?
                    .unwrap_or_else(|| nightshift_providers::twilio::client::BASE_URL.to_owned()),
            },
            calls: Calls {
                // Anything but the one word is no: a real call must not come from a typing error.
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

    /// The address under which providers reach this program: as set, or where it listens.
    #[must_use]
    pub fn public_url(&self) -> String {
        self.http.public_url.clone().unwrap_or_else(|| {
            let Http { host, port, .. } = &self.http;
            if host.contains(':') { format!("http://[{host}]:{port}") } else { format!("http://{host}:{port}") }
        })
    }

    /// The folder for what the program keeps beside its database.
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
    /// Whom calls reach.
    #[must_use]
    pub fn dialing(&self) -> Dialing {
        Dialing::decide(self.live, self.test_phones.first())
    }
}

impl Database {
    /// The address, with whatever secrets it holds, for the driver alone.
    pub(crate) fn url_text(&self) -> &str {
        self.url.expose_secret()
    }

    /// The limits of the pool.
    #[must_use]
    pub fn options(&self) -> DbOptions {
        DbOptions {
            connections_max: self.connections_max,
            acquire_timeout: self.acquire_timeout,
            ..DbOptions::default()
        }
    }

    /// The address without user and password, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        let url = self.url.expose_secret();
        let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
        // Options behind the ? may hold a password as well.
        let rest = rest.split('?').next().unwrap_or_default();
        let rest = rest.rsplit_once('@').map_or(rest, |(_, host_and_path)| host_and_path);
        format!("{scheme}://{rest}")
    }
}

fn phones(from: &mut Reader<'_>) -> Result<Vec<PhoneNumber>, ConfigError> {
    let allowed = "international phone numbers such as +15551234567";
    from.checked_list("calls.test_phones", allowed, |text| PhoneNumber::read(text, None).ok())
}

fn concurrency(from: &mut Reader<'_>) -> Result<BTreeMap<String, usize>, ConfigError> {
    const KEYS: [&str; 6] = [
        "worker.concurrency.webhooks",
        "worker.concurrency.bookings",
        "worker.concurrency.calls",
        "worker.concurrency.sms",
        "worker.concurrency.reconciliation",
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
