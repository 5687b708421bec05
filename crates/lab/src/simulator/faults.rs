//! Faults on demand: what goes wrong, for which messages, how often.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One order to misbehave. As JSON:
/// `{"match":{"to":"+14155550199"},"fault":"rate_limit_429","retryAfter":2,"times":3}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultRule {
    /// Which messages; all when empty.
    #[serde(rename = "match", default)]
    pub matching: Match,
    /// What goes wrong.
    pub fault: Fault,
    /// How many more times; 0 means until it is cleared.
    #[serde(default = "once")]
    pub times: u32,
    /// `Retry-After` in seconds, for answers that may carry one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// How long a fault that takes time takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// The error code of [`Fault::Refuse`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
}

/// Which messages a fault is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Match {
    /// The recipient, E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// A part of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_contains: Option<String>,
}

/// What can go wrong. "Storing" is the point after which the message counts as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Fault {
    /// 400 with the rule's `code` (21211 if it names none).
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
    /// 500, the message is not sent.
    #[serde(rename = "error_500_before_storing")]
    ErrorBeforeStoring,
    /// 500, the message is sent.
    #[serde(rename = "error_500_after_storing")]
    ErrorAfterStoring,
    /// 503 with code 20503, the message is not sent.
    #[serde(rename = "error_503_before_storing")]
    UnavailableBeforeStoring,
    /// No answer for `delayMs` (15 s), then the connection closes; the message is not sent.
    #[serde(rename = "hang_before_storing")]
    HangBeforeStoring,
    /// No answer for `delayMs` (15 s), then the connection closes; the message is sent.
    #[serde(rename = "timeout_after_storing")]
    TimeoutAfterStoring,
    /// The connection closes without an answer; the message is not sent.
    #[serde(rename = "close_before_storing")]
    CloseBeforeStoring,
    /// The connection closes without an answer; the message is sent.
    #[serde(rename = "close_after_storing")]
    CloseAfterStoring,
    /// 201 with a body that is no JSON; the message is sent.
    #[serde(rename = "garbled_after_storing")]
    GarbledAfterStoring,
    /// 201, then half of the body and nothing more for `delayMs` (15 s); the message is sent.
    #[serde(rename = "slow_body_after_storing")]
    SlowBodyAfterStoring,
    /// The right answer after `delayMs` (1 s).
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
    /// No callback is ever sent.
    #[serde(rename = "callbacks_none")]
    CallbacksNone,
    /// The message stays `queued`: it has no `date_sent`, and no callback is sent.
    #[serde(rename = "stays_queued")]
    StaysQueued,
    /// The message ends `undelivered`, with code 30003.
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
    /// The list does not show anything yet. Only `match.to` applies.
    #[serde(rename = "list_lags")]
    ListLags,
    /// The text goes out, and is listed, behind the words of a trial account.
    #[serde(rename = "trial_prefix")]
    TrialPrefix,
    /// The text is listed with other line ends.
    #[serde(rename = "line_ends_changed")]
    LineEndsChanged,
}

/// When a fault takes effect. One request may meet one fault of each stage.
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
            // Longer than any client waits.
            _ => Duration::from_secs(15),
        }
    }
}

impl FaultRule {
    /// A fault that happens once, to any message.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self { matching: Match::default(), fault, times: once(), retry_after: None, delay_ms: None, code: None }
    }

    /// Only for this recipient.
    #[must_use]
    pub fn to(mut self, number: impl Into<String>) -> Self {
        self.matching.to = Some(number.into());
        self
    }

    /// Only for texts that contain this.
    #[must_use]
    pub fn body_contains(mut self, part: impl Into<String>) -> Self {
        self.matching.body_contains = Some(part.into());
        self
    }

    /// How often; 0 means until cleared.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// With this `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Taking this long.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay_ms = Some(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// With this error code.
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

/// The orders that are not used up, oldest first.
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

    /// The first order that fits, counted down.
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
