//! The state of the fake Twilio: the account, the accepted texts and the faults to inject.
//!
//! Tests in the same process use it directly, others over HTTP. A text is stored in the ledger before a fault changes
//! the answer, and its callbacks do not depend on whether the answer was received.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use nightshift_providers::twilio::MessageStatus;
use nightshift_providers::{ClientError, Timeouts, http_client_with};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::faults::{Fault, FaultRule, Faults};
use super::inbound::Listeners;
use super::ledger::{Direction, Ledger, StoredMessage};
use super::twilio_wire::{ApiError, SendForm};

/// Maximum number of concurrent callbacks.
const CALLBACKS_AT_ONCE: usize = 32;

/// Maximum number of concurrent webhooks about texts from people.
const INBOUND_AT_ONCE: usize = 1_024;

/// The prefix of every text from a trial account.
const TRIAL_PREFIX: &str = "Sent from your Twilio trial account - ";

/// The credentials and the behaviour of the fake account.
#[derive(Clone)]
pub struct TwilioAccount {
    /// `AC` followed by 32 hex digits.
    pub account_sid: String,
    /// Authenticates requests and signs callbacks.
    pub auth_token: SecretString,
    /// An API key (`SK...`) and its secret, which also authenticate requests.
    pub api_key: (String, SecretString),
    /// Pause before each callback.
    pub callback_delay: Duration,
    /// Maximum number of concurrent requests. Further requests get 429.
    pub requests_at_once_max: usize,
    /// The clock of the simulator, which may differ from that of the program under test.
    pub now: fn() -> DateTime<Utc>,
}

/// An account with constant credentials, whose callbacks are 50 ms apart.
impl Default for TwilioAccount {
    fn default() -> Self {
        Self {
            account_sid: "AC5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a".to_owned(),
            auth_token: SecretString::from("simulated-auth-token"),
            api_key: ("SK5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a".to_owned(), SecretString::from("simulated-api-key-secret")),
            callback_delay: Duration::from_millis(50),
            requests_at_once_max: 200,
            now: Utc::now,
        }
    }
}

impl fmt::Debug for TwilioAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioAccount").field("account_sid", &self.account_sid).finish_non_exhaustive()
    }
}

/// The state of the service, shared by its HTTP API and by tests in the same process.
pub struct FakeTwilio {
    pub(super) account: TwilioAccount,
    pub(super) http: reqwest::Client,
    pub(super) callback_slots: Semaphore,
    pub(super) inbound_slots: Semaphore,
    faults: Faults,
    ledger: Mutex<Ledger>,
    changes: watch::Sender<u64>,
    /// The base URL of this server, at which pictures are.
    pub(super) base_url: String,
    /// Where webhooks about texts from people go, with a retry policy as its fragment.
    inbound_url: Mutex<Option<String>>,
    pub(super) listeners: Listeners,
    request_slots: Semaphore,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

impl FakeTwilio {
    pub(super) fn new(
        account: TwilioAccount,
        base_url: String,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, ClientError> {
        // Twilio's timeouts for webhooks.
        let timeouts = Timeouts { connect: Duration::from_secs(5), total: Duration::from_secs(15) };
        Ok(Arc::new(Self {
            http: http_client_with(timeouts)?,
            callback_slots: Semaphore::new(CALLBACKS_AT_ONCE),
            inbound_slots: Semaphore::new(INBOUND_AT_ONCE),
            faults: Faults::default(),
            ledger: Mutex::default(),
            changes: watch::Sender::new(0),
            base_url,
            inbound_url: Mutex::default(),
            listeners: Listeners::default(),
            request_slots: Semaphore::new(account.requests_at_once_max),
            account,
            tasks,
            stop,
        }))
    }

    pub fn inject(&self, rule: FaultRule) {
        self.faults.add([rule]);
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Removes all faults that are not used up.
    pub fn clear_faults(&self) {
        self.faults.clear();
    }

    /// Returns a copy of the current ledger.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.read(Ledger::clone)
    }

    /// Reads the ledger without copying it.
    pub fn read<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Removes all messages and opt-outs, and resets the request counts.
    pub fn clear_ledger(&self) {
        self.change(|ledger| *ledger = Ledger::default());
    }

    /// Sets the URL of the webhook about texts from people, with a retry policy as its fragment, such as
    /// `https://book.example/api/twilio/inbound#rc=3&rp=ct,rt,5xx`. Without a URL there are no deliveries.
    pub fn set_inbound_url(&self, url: impl Into<String>) {
        *self.inbound_url.lock().unwrap_or_else(PoisonError::into_inner) = Some(url.into());
    }

    pub(super) fn inbound_url(&self) -> Option<String> {
        self.inbound_url.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the ledger satisfies `done`. Returns `false` if it does not within `patience`.
    pub async fn wait_until(&self, patience: Duration, done: impl Fn(&Ledger) -> bool) -> bool {
        let mut changes = self.changes.subscribe();
        let waiting = changes.wait_for(|_| self.read(&done));
        tokio::time::timeout(patience, waiting).await.is_ok_and(|seen| seen.is_ok())
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        let result = change(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner));
        self.changes.send_modify(|version| *version += 1);
        result
    }

    /// Checks the credentials and reserves one of the slots for concurrent requests.
    pub(super) fn admit(&self, account_sid: &str, authorization: &[u8]) -> Result<SemaphorePermit<'_>, ApiError> {
        let (key_sid, key_secret) = &self.account.api_key;
        let known = [(&self.account.account_sid, &self.account.auth_token), (key_sid, key_secret)];
        let is_known = known.iter().any(|(user, secret)| {
            let credentials = format!("{user}:{}", secret.expose_secret());
            authorization == format!("Basic {}", STANDARD.encode(credentials)).as_bytes()
        });
        if !is_known || account_sid != self.account.account_sid {
            self.change(|ledger| ledger.count().unauthorized += 1);
            return Err(ApiError::new(401, 20003));
        }
        self.request_slots.try_acquire().map_err(|_| {
            self.change(|ledger| ledger.count().too_many += 1);
            ApiError::new(429, 20429)
        })
    }

    /// Stores a text, which then counts as sent. `shown_as` is a fault that changes the text.
    pub(super) fn store(&self, form: SendForm, shown_as: Option<Fault>) -> StoredMessage {
        let body = match shown_as {
            Some(Fault::TrialPrefix) => format!("{TRIAL_PREFIX}{}", form.body),
            Some(Fault::LineEndsChanged) => form.body.replace('\n', "\r\n") + "\r\n",
            _ => form.body,
        };
        let message = StoredMessage {
            sid: format!("SM{}", Uuid::new_v4().simple()),
            direction: Direction::OutboundApi,
            from: form.from,
            to: form.to,
            body,
            status: if form.scheduled { MessageStatus::Scheduled } else { MessageStatus::Queued },
            error_code: None,
            at: (self.account.now)(),
            sent_at: None,
            message_intent: form.intent,
            status_callback: form.status_callback,
            callbacks: Vec::new(),
            deleted: false,
            media: Vec::new(),
        };
        self.change(|ledger| ledger.store(message.clone()));
        message
    }
}

impl fmt::Debug for FakeTwilio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeTwilio").field("account_sid", &self.account.account_sid).finish_non_exhaustive()
    }
}
