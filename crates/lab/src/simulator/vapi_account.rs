//! The account that the fake VAPI knows: its keys, its assistant and its number.

use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

/// How the fake account behaves.
#[derive(Clone)]
pub struct VapiAccount {
    /// Opens the API.
    pub api_key: SecretString,
    /// The assistant that speaks.
    pub assistant_id: String,
    /// The number that calls.
    pub phone_number_id: String,
    /// A credential with which reports can be proven instead of headers.
    pub credential_id: String,
    /// What that credential shows as a bearer token.
    pub credential_secret: SecretString,
    /// The simulator's clock, which need not be that of the program under test.
    pub now: fn() -> DateTime<Utc>,
}

impl Default for VapiAccount {
    fn default() -> Self {
        Self {
            api_key: SecretString::from("simulated-vapi-key"),
            assistant_id: "a5515700-0000-4000-8000-000000000001".to_owned(),
            phone_number_id: "9401e000-0000-4000-8000-000000000001".to_owned(),
            credential_id: "c4ede000-0000-4000-8000-000000000001".to_owned(),
            credential_secret: SecretString::from("simulated"),
            now: Utc::now,
        }
    }
}

impl fmt::Debug for VapiAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VapiAccount").field("assistant_id", &self.assistant_id).finish_non_exhaustive()
    }
}
