//! The workspace at the fake OpenPhone: its key, its numbers, its limits and its webhook.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// The credentials and the behaviour of the fake workspace.
#[derive(Clone)]
pub struct OpenPhoneAccount {
    /// Authenticates requests.
    pub api_key: SecretString,
    /// The workspace's numbers in E.164 format. If there are none, every number that sends or receives becomes one.
    pub numbers: Vec<String>,
    /// The keys of webhooks: `whsec_<base64>` signs current ones, `<base64>` legacy ones. With several keys of a
    /// generation, each webhook has a signature by each.
    pub webhook_secrets: Vec<SecretString>,
    /// Pause between the answer to a request to send and the webhook about its delivery.
    pub delivery_delay: Duration,
    /// Requests a second that are accepted. More get 429.
    pub requests_per_second_max: usize,
    /// For how long a message is missing in lists after it was created.
    pub list_lag: Duration,
    /// The clock of the simulator, which may differ from that of the program under test.
    pub now: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
}

/// The shape of webhooks, which depends on how the webhook was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenPhoneShape {
    /// Made in the app's settings.
    LegacyApp,
    /// Made by the first version of the API.
    LegacyApi,
    /// Made by the version 2026-03-30 of the API.
    #[default]
    Current,
}

impl OpenPhoneShape {
    pub const ALL: [Self; 3] = [Self::LegacyApp, Self::LegacyApi, Self::Current];
}

/// Where webhooks are delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenPhoneWebhook {
    pub url: String,
    #[serde(default)]
    pub shape: OpenPhoneShape,
}

/// A workspace with constant credentials, whose texts are delivered after 50 ms.
impl Default for OpenPhoneAccount {
    fn default() -> Self {
        Self {
            api_key: SecretString::from("simulated-openphone-key"),
            numbers: Vec::new(),
            webhook_secrets: vec![
                SecretString::from("whsec_c2ltdWxhdGVkLW9wZW5waG9uZS1jdXJyZW50LWtleQ=="),
                SecretString::from("c2ltdWxhdGVkLW9wZW5waG9uZS1sZWdhY3kta2V5"),
            ],
            delivery_delay: Duration::from_millis(50),
            requests_per_second_max: 10,
            list_lag: Duration::ZERO,
            now: Arc::new(Utc::now),
        }
    }
}

impl fmt::Debug for OpenPhoneAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenPhoneAccount").field("numbers", &self.numbers.len()).finish_non_exhaustive()
    }
}
