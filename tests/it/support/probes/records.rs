//! The event log, exceptions, stored webhooks, the ledger of effects, idempotency keys, API keys and sign-in counters.

use nightshift_db::Json;
use serde_json::Value;
use sqlx::FromRow;

use super::{Probes, Rows, table};

#[derive(Debug, FromRow)]
pub struct Event {
    pub event_type: String,
    pub metadata: Json<Value>,
}

#[derive(Debug, FromRow)]
pub struct Exception {
    pub id: String,
    #[sqlx(rename = "type")]
    pub kind: String,
    pub severity: String,
    pub title: String,
    pub detail: Json<Value>,
    pub occurrences: i64,
    pub fingerprint: String,
    pub booking_id: Option<String>,
    pub inbox_id: Option<String>,
}

/// A stored webhook.
#[derive(Debug, FromRow)]
pub struct Webhook {
    pub event_key: String,
    pub verified: bool,
    /// Number of times it was delivered.
    pub deliveries: i64,
}

/// An entry of the ledger of effects.
#[derive(Debug, FromRow)]
pub struct Effect {
    pub id: String,
    pub mode: String,
    pub state: String,
}

/// The number of wrong passwords of an account, an address or a device.
#[derive(Debug, FromRow)]
pub struct SignInCounter {
    pub key: String,
    pub guesses: i64,
}

/// A key that programs call the API with.
#[derive(Debug, FromRow)]
pub struct ApiKey {
    pub secret_sha256: String,
    pub org_id: Option<String>,
}

impl Probes {
    /// All entries of the event log, of which the receipts of webhooks are rows of the inbox.
    pub fn all_events(&self) -> Rows<'_, Event> {
        self.ask(table!(
            "(SELECT id, event_type, actor_type, metadata FROM event_log
              UNION ALL SELECT id, event_type, actor_type, metadata FROM webhook_receipts) AS entries"
        ))
    }

    pub fn events(&self, event: &str) -> Rows<'_, Event> {
        self.all_events().with("event_type = $1", event)
    }

    pub fn all_exceptions(&self) -> Rows<'_, Exception> {
        self.ask(table!("exceptions"))
    }

    pub fn exceptions(&self, kind: &str) -> Rows<'_, Exception> {
        self.all_exceptions().with("type = $1", kind)
    }

    pub fn open_exceptions(&self, kind: &str) -> Rows<'_, Exception> {
        self.exceptions(kind).open()
    }

    pub fn all_webhooks(&self) -> Rows<'_, Webhook> {
        self.ask(table!("webhook_inbox"))
    }

    /// Webhooks of a source, by its stored name.
    pub fn webhooks(&self, source: &str) -> Rows<'_, Webhook> {
        self.all_webhooks().with("provider = $1", source)
    }

    pub fn effects(&self, kind: &str) -> Rows<'_, Effect> {
        self.ask(table!("effects")).with("kind = $1", kind)
    }

    pub fn idempotency_keys(&self) -> Rows<'_, ()> {
        self.ask(table!("idempotency_keys", "created_at"))
    }

    /// Keys of requests that are not answered yet.
    pub fn idempotency_keys_in_progress(&self) -> Rows<'_, ()> {
        self.idempotency_keys().only("state = 'in_progress'")
    }

    pub fn api_keys(&self) -> Rows<'_, ApiKey> {
        self.ask(table!("api_keys"))
    }

    pub fn sign_in_counters(&self) -> Rows<'_, SignInCounter> {
        self.ask(table!("sign_in_guesses", "key"))
    }
}

impl Rows<'_, SignInCounter> {
    pub fn of_accounts(self) -> Self {
        self.only("key LIKE 'account:%'")
    }
}

impl Rows<'_, Event> {
    /// Events whose actor is a command or the program itself.
    pub fn of_the_system(self) -> Self {
        self.only("actor_type = 'system'")
    }

    pub fn except(self, event: &str) -> Self {
        self.with("event_type <> $1", event)
    }
}

impl Rows<'_, Exception> {
    pub fn open(self) -> Self {
        self.only("status = 'open'")
    }

    pub fn in_progress(self) -> Self {
        self.only("status = 'in_progress'")
    }

    pub fn resolved(self) -> Self {
        self.only("status = 'resolved'")
    }

    pub fn unresolved(self) -> Self {
        self.only("status <> 'resolved'")
    }

    pub fn of_high_severity(self) -> Self {
        self.only("severity = 'high'")
    }
}

impl Rows<'_, Webhook> {
    pub fn processed(self) -> Self {
        self.only("status = 'processed'")
    }

    pub fn ignored(self) -> Self {
        self.only("status = 'ignored'")
    }

    /// Webhooks whose job has ended.
    pub fn handled(self) -> Self {
        self.only("status <> 'received'")
    }

    pub fn verified(self) -> Self {
        self.only("verified")
    }

    pub fn with_key(self, key: &str) -> Self {
        self.with("event_key = $1", key)
    }

    /// Webhooks whose body is still stored.
    pub fn with_a_body(self) -> Self {
        self.only("payload IS NOT NULL")
    }

    pub fn delivered_times(self, times: i64) -> Self {
        self.with("deliveries = $1", times)
    }
}

impl Rows<'_, Effect> {
    pub fn in_state(self, state: &str) -> Self {
        self.with("state = $1", state)
    }

    /// Effects whose intent is committed.
    pub fn asked(self) -> Self {
        self.only("asked_at IS NOT NULL")
    }
}
