//! The account at the fake VAPI: its keys, its assistant and its phone number.

use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

/// The credentials and ids of the fake account.
#[derive(Clone)]
pub struct VapiAccount {
    /// Authenticates requests.
    pub api_key: SecretString,
    /// The only assistant that can be used for calls.
    pub assistant_id: String,
    /// The only phone number from which calls can be made.
    pub phone_number_id: String,
    /// A credential that a call can use to authenticate its reports, instead of custom headers.
    pub credential_id: String,
    /// The bearer token of that credential.
    pub credential_secret: SecretString,
    /// The clock of the simulator, which may differ from that of the program under test.
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
