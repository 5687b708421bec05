//! What the operator may choose, read once at the start.
//!
//! [`Settings`] is typed and complete: the rest of the program never looks at a file or an environment variable.
//! `config/default.toml` is the list of all keys and is built in; [`layers`] puts files and environment over it,
//! [`names`] knows the plain variable names, [`read`] turns text into types, [`checks`] knows which combinations must
//! not start. Every problem names the key, where its value came from, and what is allowed. Secrets can't be printed.

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
    Auth, Calls, Database, Http, Log, LogFormat, Messaging, Settings, SmsProvider, Twilio, Vapi, Webhooks, Worker,
};
