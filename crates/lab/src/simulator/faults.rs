//! Fault injection for the fake Twilio: what goes wrong, for which messages, and how often.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A fault to inject. As JSON:
/// `{"match":{"to":"+14155550199"},"fault":"rate_limit_429","retryAfter":2,"times":3}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultRule {
    /// The messages to which the fault applies. An empty match means all messages.
    #[serde(rename = "match", default)]
    pub matching: Match,
    pub fault: Fault,
    /// Number of times that the fault is still to occur. 0 means until it is cleared.
    #[serde(default = "once")]
    pub times: u32,
    /// Value of the `Retry-After` header in seconds, for 429 and 503 answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// Delay in milliseconds, for faults that delay the answer. `None` uses the default of the fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// The error code of [`Fault::Refuse`] and [`Fault::Undelivered`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
}

/// The messages to which a fault applies. `None` matches every message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Match {
    /// The recipient's number in E.164 format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// A substring of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_contains: Option<String>,
}

/// A kind of fault. A message counts as sent once it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Fault {
    /// 400 with the rule's `code`, or 21211 if it has none.
    #[serde(rename = "refuse")]
    Refuse,
    /// 400: the recipient has opted out.
    #[serde(rename = "refuse_21610")]
    RefuseOptedOut,
    /// 401: wrong credentials.
    #[serde(rename = "refuse_20003")]
    RefuseCredentials,
    /// 429, with `retryAfter` if given.
    #[serde(rename = "rate_limit_429")]
    RateLimit,
    /// 400: the sender's queue is full.
    #[serde(rename = "queue_full_21611")]
    QueueFull,
    /// 500. The message is not sent.
    #[serde(rename = "error_500_before_storing")]
    ErrorBeforeStoring,
    /// 500. The message is sent.
    #[serde(rename = "error_500_after_storing")]
    ErrorAfterStoring,
    /// 503 with code 20503. The message is not sent.
    #[serde(rename = "error_503_before_storing")]
    UnavailableBeforeStoring,
    /// No answer for `delayMs` (default 15 s), then the connection is closed. The message is not sent.
    #[serde(rename = "hang_before_storing")]
    HangBeforeStoring,
    /// No answer for `delayMs` (default 15 s), then the connection is closed. The message is sent.
    #[serde(rename = "timeout_after_storing")]
    TimeoutAfterStoring,
    /// The connection is closed without an answer. The message is not sent.
    #[serde(rename = "close_before_storing")]
    CloseBeforeStoring,
    /// The connection is closed without an answer. The message is sent.
    #[serde(rename = "close_after_storing")]
    CloseAfterStoring,
    /// 201 with a body that is not JSON. The message is sent.
    #[serde(rename = "garbled_after_storing")]
    GarbledAfterStoring,
    /// 201 with half of the body, then nothing for `delayMs` (default 15 s), then the connection is closed. The message
    /// is sent.
    #[serde(rename = "slow_body_after_storing")]
    SlowBodyAfterStoring,
    /// The correct answer after `delayMs` (default 1 s).
    #[serde(rename = "slow_answer")]
    SlowAnswer,
    /// Every callback is sent twice.
    #[serde(rename = "callbacks_doubled")]
    CallbacksDoubled,
    /// `delivered` is sent before `sent`.
    #[serde(rename = "callbacks_swapped")]
    CallbacksSwapped,
    /// All callbacks are sent before the 201.
    #[serde(rename = "callbacks_before_answer")]
    CallbacksBeforeAnswer,
    /// No callback is sent.
    #[serde(rename = "callbacks_none")]
    CallbacksNone,
    /// The message stays `queued`: it has no `date_sent`, and no callback is sent.
    #[serde(rename = "stays_queued")]
    StaysQueued,
    /// The message ends `undelivered`, with the rule's `code`, or 30003 if it has none.
    #[serde(rename = "undelivered_30003")]
    Undelivered,
    /// The message ends `failed`, with code 30007.
    #[serde(rename = "failed_30007")]
    Failed,
    /// Listing messages answers 500. Only `match.to` applies.
    #[serde(rename = "list_error_500")]
    ListError,
    /// Listing messages answers 429, with `retryAfter` if given. Only `match.to` applies.
    #[serde(rename = "list_rate_limit_429")]
    ListRateLimit,
    /// The list is empty, as if it lagged behind. Only `match.to` applies.
    #[serde(rename = "list_lags")]
    ListLags,
    /// The text is sent and listed with the prefix of a trial account.
    #[serde(rename = "trial_prefix")]
    TrialPrefix,
    /// The text is sent and listed with CRLF line ends and one more at its end.
    #[serde(rename = "line_ends_changed")]
    LineEndsChanged,
}

/// The part of the service that a fault affects. One fault of each stage may apply to the same request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Answer,
    Callbacks,
    List,
    Body,
}

impl Fault {
    pub(super) fn stage(self) -> Stage {
        match self {
            Self::Refuse
            | Self::RefuseOptedOut
            | Self::RefuseCredentials
            | Self::RateLimit
            | Self::QueueFull
            | Self::ErrorBeforeStoring
            | Self::ErrorAfterStoring
            | Self::UnavailableBeforeStoring
            | Self::HangBeforeStoring
            | Self::TimeoutAfterStoring
            | Self::CloseBeforeStoring
            | Self::CloseAfterStoring
            | Self::GarbledAfterStoring
            | Self::SlowBodyAfterStoring
            | Self::SlowAnswer => Stage::Answer,
            Self::CallbacksDoubled
            | Self::CallbacksSwapped
            | Self::CallbacksBeforeAnswer
            | Self::CallbacksNone
            | Self::StaysQueued
            | Self::Undelivered
            | Self::Failed => Stage::Callbacks,
            Self::ListError | Self::ListRateLimit | Self::ListLags => Stage::List,
            Self::TrialPrefix | Self::LineEndsChanged => Stage::Body,
        }
    }

    fn default_delay(self) -> Duration {
        match self {
            Self::SlowAnswer => Duration::from_secs(1),
            // Longer than the timeout of any client.
            _ => Duration::from_secs(15),
        }
    }
}

impl FaultRule {
    /// Creates a rule for a fault that occurs once, for any message.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self { matching: Match::default(), fault, times: once(), retry_after: None, delay_ms: None, code: None }
    }

    /// Limits the fault to one recipient.
    #[must_use]
    pub fn to(mut self, number: impl Into<String>) -> Self {
        self.matching.to = Some(number.into());
        self
    }

    /// Limits the fault to texts that contain `part`.
    #[must_use]
    pub fn body_contains(mut self, part: impl Into<String>) -> Self {
        self.matching.body_contains = Some(part.into());
        self
    }

    /// Sets how often the fault occurs. 0 means until it is cleared.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Sets the `Retry-After` header of the answer, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Sets the delay of the answer.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay_ms = Some(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Sets the error code of [`Fault::Refuse`].
    #[must_use]
    pub fn code(mut self, code: u32) -> Self {
        self.code = Some(code);
        self
    }

    pub(super) fn waits(&self) -> Duration {
        self.delay_ms.map_or(self.fault.default_delay(), Duration::from_millis)
    }

    fn is_for(&self, stage: Stage, to: Option<&str>, body: Option<&str>) -> bool {
        let fits = |wanted: &Option<String>, fits: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(fits);
        self.fault.stage() == stage
            && fits(&self.matching.to, &|wanted| to == Some(wanted))
            && (stage == Stage::List
                || fits(&self.matching.body_contains, &|part| body.is_some_and(|body| body.contains(part))))
    }
}

fn once() -> u32 {
    1
}

/// The rules that are not used up, oldest first.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<FaultRule>>);

impl Faults {
    pub(super) fn add(&self, rules: impl IntoIterator<Item = FaultRule>) {
        self.rules().extend(rules);
    }

    pub(super) fn left(&self) -> Vec<FaultRule> {
        self.rules().clone()
    }

    pub(super) fn clear(&self) {
        self.rules().clear();
    }

    /// Returns the first rule that matches and uses it once. `None` if no rule matches.
    pub(super) fn take(&self, stage: Stage, to: Option<&str>, body: Option<&str>) -> Option<FaultRule> {
        let mut rules = self.rules();
        let at = rules.iter().position(|rule| rule.is_for(stage, to, body))?;
        match rules[at].times {
            0 => Some(rules[at].clone()),
            1 => Some(rules.remove(at)),
            _ => {
                rules[at].times -= 1;
                Some(rules[at].clone())
            }
        }
    }

    fn rules(&self) -> std::sync::MutexGuard<'_, Vec<FaultRule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
