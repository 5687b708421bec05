//! The fake Twilio's state: the account, the texts it took, the faults it was ordered.
//!
//! Tests in the same process hold it directly; everybody else reaches it over HTTP. A text is in the ledger before any
//! fault can spoil the answer, and its callbacks go out whatever became of that.

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
use super::ledger::{Ledger, StoredMessage};
use super::twilio_wire::{ApiError, SendForm};

/// So many callbacks are under way at once at most.
const CALLBACKS_AT_ONCE: usize = 32;

/// What a trial account puts in front of every text.
const TRIAL_PREFIX: &str = "Sent from your Twilio trial account - ";

/// How the fake account behaves.
#[derive(Clone)]
pub struct TwilioAccount {
    /// `AC...`
    pub account_sid: String,
    /// Checks requests and signs callbacks.
    pub auth_token: SecretString,
    /// An API key, `SK...` and its secret, that may ask as well.
    pub api_key: (String, SecretString),
    /// Pause before each callback.
    pub callback_delay: Duration,
    /// More requests than this at the same time get 429.
    pub requests_at_once_max: usize,
    /// The simulator's clock, which need not be that of the program under test.
    pub now: fn() -> DateTime<Utc>,
}

/// A made-up account that answers at once and sends its callbacks 50 ms apart.
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

/// The service's state. Shared by its HTTP side and by tests in the same process.
pub struct FakeTwilio {
    pub(super) account: TwilioAccount,
    pub(super) http: reqwest::Client,
    pub(super) callback_slots: Semaphore,
    faults: Faults,
    ledger: Mutex<Ledger>,
    changes: watch::Sender<u64>,
    request_slots: Semaphore,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

impl FakeTwilio {
    pub(super) fn new(
        account: TwilioAccount,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, ClientError> {
        // Twilio's own limits for webhooks.
        let timeouts = Timeouts { connect: Duration::from_secs(5), total: Duration::from_secs(15) };
        Ok(Arc::new(Self {
            http: http_client_with(timeouts)?,
            callback_slots: Semaphore::new(CALLBACKS_AT_ONCE),
            faults: Faults::default(),
            ledger: Mutex::default(),
            changes: watch::Sender::new(0),
            request_slots: Semaphore::new(account.requests_at_once_max),
            account,
            tasks,
            stop,
        }))
    }

    /// Orders a fault.
    pub fn inject(&self, rule: FaultRule) {
        self.faults.add([rule]);
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Takes back all faults that are not used up.
    pub fn clear_faults(&self) {
        self.faults.clear();
    }

    /// A copy of the ledger as it stands.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.read(Ledger::clone)
    }

    /// Looks into the ledger without copying it.
    pub fn read<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets all messages and counts.
    pub fn clear_ledger(&self) {
        self.change(|ledger| *ledger = Ledger::default());
    }

    /// Waits until the ledger satisfies `done`, at most `patience`; says whether it does.
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

    /// Checks the credentials and takes one of the places for requests.
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

    /// Takes a text: from here on it counts as sent. Some faults change how it reads.
    pub(super) fn store(&self, form: SendForm, shown_as: Option<Fault>) -> StoredMessage {
        let body = match shown_as {
            Some(Fault::TrialPrefix) => format!("{TRIAL_PREFIX}{}", form.body),
            Some(Fault::LineEndsChanged) => form.body.replace('\n', "\r\n") + "\r\n",
            _ => form.body,
        };
        let message = StoredMessage {
            sid: format!("SM{}", Uuid::new_v4().simple()),
            from: form.from,
            to: form.to,
            body,
            status: if form.scheduled { MessageStatus::Scheduled } else { MessageStatus::Queued },
            error_code: None,
            at: (self.account.now)(),
            sent_at: None,
            status_callback: form.status_callback,
            callbacks: Vec::new(),
            deleted: false,
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
