//! The settings, read once at the start.
//!
//! [`Settings`] is typed and complete, so the rest of the program reads no file and no environment variable.
//! `config/default.toml` lists all keys and is embedded. [`layers`] merges files and environment variables over it,
//! [`names`] maps plain variable names to keys, [`read`] parses values, and [`checks`] finds unsafe combinations. Every
//! error names the key, the origin of its value, and what is allowed. Secrets can't be printed.

mod checks;
mod error;
mod layers;
mod names;
mod read;
mod session_secret;
mod settings;

pub use checks::{Finding, Severity, check_names};
pub use error::{ConfigError, Origin};
pub use layers::{Environment, Sources};
pub use session_secret::{SessionSecretError, session_secret};
pub use settings::{
    Auth, Calls, Database, Http, Log, LogFormat, Messaging, RetiredSecrets, Settings, SmsProvider, Twilio, Vapi,
    Webhooks, Worker,
};
