//! The state of the fake OpenPhone: the workspace, its messages, its webhook and the faults to inject.
//!
//! Tests in the same process use it directly, others over HTTP. A text is stored in the ledger before a fault changes the
//! answer. The faults are those of the fake Twilio, as far as they make sense here; the `code` of [`Fault::Refuse`] ends
//! with the HTTP status, as OpenPhone's codes do.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use nightshift_providers::{ClientError, Timeouts, http_client_with};
use secrecy::ExposeSecret;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::faults::{Fault, FaultRule, Faults};
use super::inbound::Listeners;
use super::openphone_account::{OpenPhoneAccount, OpenPhoneWebhook};
use super::openphone_ledger::{OpenPhoneLedger, OpenPhoneMessage};
use super::openphone_wire::ApiError;

const SECOND: Duration = Duration::from_secs(1);

/// The state of the service, shared by its HTTP API and by tests in the same process.
pub struct FakeOpenPhone {
    pub(super) account: OpenPhoneAccount,
    pub(super) http: reqwest::Client,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
    webhook: Mutex<Option<OpenPhoneWebhook>>,
    numbers: Mutex<BTreeSet<String>>,
    faults: Faults,
    ledger: Mutex<OpenPhoneLedger>,
    changes: watch::Sender<u64>,
    pub(super) listeners: Listeners,
    /// The times of the requests within the last second.
    recent: Mutex<VecDeque<Instant>>,
}

impl FakeOpenPhone {
    pub(super) fn new(
        account: OpenPhoneAccount,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, ClientError> {
        // OpenPhone's timeouts for webhooks.
        let timeouts = Timeouts { connect: Duration::from_secs(5), total: Duration::from_secs(10) };
        Ok(Arc::new(Self {
            http: http_client_with(timeouts)?,
            tasks,
            stop,
            webhook: Mutex::default(),
            numbers: Mutex::new(account.numbers.iter().cloned().collect()),
            faults: Faults::default(),
            ledger: Mutex::default(),
            changes: watch::Sender::new(0),
            listeners: Listeners::default(),
            recent: Mutex::default(),
            account,
        }))
    }

    /// Delivers webhooks there from now on. Before, there are none.
    pub fn deliver_to(&self, webhook: OpenPhoneWebhook) {
        *self.webhook.lock().unwrap_or_else(PoisonError::into_inner) = Some(webhook);
    }

    /// Returns where webhooks are delivered.
    #[must_use]
    pub fn webhook(&self) -> Option<OpenPhoneWebhook> {
        self.webhook.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn inject(&self, rule: FaultRule) {
        self.faults.add([rule]);
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Returns a copy of the current ledger.
    #[must_use]
    pub fn ledger(&self) -> OpenPhoneLedger {
        self.read(OpenPhoneLedger::clone)
    }

    /// Reads the ledger without copying it.
    pub fn read<T>(&self, look: impl FnOnce(&OpenPhoneLedger) -> T) -> T {
        look(&self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Removes all messages and resets the request counts.
    pub fn clear_ledger(&self) {
        self.change(|ledger| *ledger = OpenPhoneLedger::default());
    }

    /// Waits until the ledger satisfies `done`. Returns `false` if it does not within `patience`.
    pub async fn wait_until(&self, patience: Duration, done: impl Fn(&OpenPhoneLedger) -> bool) -> bool {
        let mut changes = self.changes.subscribe();
        let waiting = changes.wait_for(|_| self.read(&done));
        tokio::time::timeout(patience, waiting).await.is_ok_and(|seen| seen.is_ok())
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut OpenPhoneLedger) -> T) -> T {
        let result = change(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner));
        self.changes.send_modify(|version| *version += 1);
        result
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.account.now)().trunc_subsecs(3)
    }

    /// Checks the key and the limit of requests a second.
    pub(super) fn admit(&self, authorization: &[u8]) -> Result<(), ApiError> {
        if authorization != self.account.api_key.expose_secret().as_bytes() {
            self.change(|ledger| ledger.count().unauthorized += 1);
            return Err(ApiError::new("0200401"));
        }
        let now = Instant::now();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|at| *at + SECOND > now);
        if recent.len() >= self.account.requests_per_second_max {
            drop(recent);
            self.change(|ledger| ledger.count().too_many += 1);
            return Err(ApiError::too_many(None));
        }
        recent.push_back(now);
        Ok(())
    }

    /// Returns the workspace's numbers.
    pub(super) fn numbers(&self) -> Vec<String> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// The workspace no longer lists the numbers that it has now, which still have their messages.
    pub fn forget_numbers(&self) {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Returns whether the number is one of the workspace's.
    pub(super) fn knows(&self, number: &str) -> bool {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if self.account.numbers.is_empty() {
            numbers.insert(number.to_owned());
        }
        numbers.contains(number)
    }

    /// Stores a text. An outgoing one then counts as sent. `shown_as` is a fault that changes the text.
    pub(super) fn store(&self, text: NewText<'_>, shown_as: Option<Fault>) -> OpenPhoneMessage {
        let ours = if text.incoming { text.to } else { text.from };
        let message = OpenPhoneMessage {
            id: text.id.map_or_else(|| format!("AC{}", Uuid::new_v4().simple()), str::to_owned),
            phone_number_id: number_id(ours),
            from: text.from.to_owned(),
            to: text.to.to_owned(),
            text: match shown_as {
                Some(Fault::LineEndsChanged) => text.text.replace('\n', "\r\n") + "\r\n",
                _ => text.text.to_owned(),
            },
            media: text.media.to_vec(),
            incoming: text.incoming,
            status: if text.incoming { "received" } else { "queued" }.to_owned(),
            created_at: text.at.unwrap_or_else(|| self.now()),
            webhooks: Vec::new(),
        };
        self.knows(ours);
        self.change(|ledger| ledger.store(message.clone()));
        message
    }
}

/// A text to store.
#[derive(Clone, Copy, Default)]
pub(super) struct NewText<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) text: &'a str,
    pub(super) media: &'a [String],
    pub(super) incoming: bool,
    /// `None` makes one.
    pub(super) id: Option<&'a str>,
    /// `None` means now.
    pub(super) at: Option<DateTime<Utc>>,
}

/// Returns the id of a number.
pub(super) fn number_id(number: &str) -> String {
    format!("PN{}", number.trim_start_matches('+'))
}

impl fmt::Debug for FakeOpenPhone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeOpenPhone").field("account", &self.account).finish_non_exhaustive()
    }
}
