//! What handlers share besides the queue.

use std::time::Duration;

use nightshift_domain::messaging::numbers::SmsCarrier;
use nightshift_domain::reconciliation::Thresholds;
use nightshift_providers::sms::SmsSender;
use nightshift_providers::vapi::{Webhook, WebhookProof};
use nightshift_queue::Mode;

use crate::dialer::Dialer;

/// Twilio is asked to try a report three times, also when we answer with an error or not in time; by itself it would
/// give up after one.
const CALLBACK_RETRIES: &str = "#rc=3&rp=ct,rt,5xx";

/// The services and choices that handlers work with.
#[derive(Debug)]
pub struct App {
    sms: SmsSender,
    public_url: String,
    window_grace: Duration,
    calls: Calls,
    reconciliation: Reconciliation,
}

/// How prices are checked.
#[derive(Debug, Clone, Copy)]
pub struct Reconciliation {
    /// Bookings compared and recorded at a time.
    pub chunk_size: i64,
    /// Bookings that ended longer ago are left alone.
    pub lookback: Duration,
    /// Which differences matter, for organisations that do not say.
    pub thresholds: Thresholds,
}

/// How calls are made and waited for.
#[derive(Debug, Clone)]
pub struct Calls {
    /// Whom they reach.
    pub dialer: Dialer,
    /// What proves VAPI's reports; without it, it is not asked to report.
    pub webhook_proof: Option<WebhookProof>,
    /// Between two looks.
    pub poll_interval: Duration,
    /// Looks after which a call has not ended in time.
    pub polls_max: i64,
}

impl App {
    /// `public_url` is where providers reach this program; a window stays open for `window_grace` after its booking.
    #[must_use]
    pub fn new(
        sms: SmsSender,
        calls: Calls,
        reconciliation: Reconciliation,
        public_url: String,
        window_grace: Duration,
    ) -> Self {
        Self { sms, public_url, window_grace, calls, reconciliation }
    }

    /// How prices are checked.
    pub(crate) fn reconciliation(&self) -> Reconciliation {
        self.reconciliation
    }

    /// Whom this program's calls reach.
    pub(crate) fn dialer(&self) -> &Dialer {
        &self.calls.dialer
    }

    /// Between two looks at a call.
    pub(crate) fn poll_interval(&self) -> Duration {
        self.calls.poll_interval
    }

    /// Looks after which a call has not ended in time.
    pub(crate) fn polls_max(&self) -> i64 {
        self.calls.polls_max
    }

    /// Where VAPI reports to.
    pub(crate) fn vapi_webhook(&self) -> Option<Webhook> {
        let proof = self.calls.webhook_proof.clone()?;
        Some(Webhook { url: format!("{}/api/webhooks/vapi", self.public_url), proof })
    }

    /// How long a window stays open after its booking's end.
    pub(crate) fn window_grace(&self) -> Duration {
        self.window_grace
    }

    /// Where a provider reports what became of a text.
    pub(crate) fn status_callback(&self) -> String {
        format!("{}/api/twilio/status{CALLBACK_RETRIES}", self.public_url)
    }

    /// Who sends the texts of a number, or why nobody does. A number of nobody's needs no service; as long as the
    /// program is set to send no texts, no number's texts leave.
    pub(crate) fn sender(&self, provider: SmsCarrier) -> Result<&SmsSender, &'static str> {
        const NOBODY: &SmsSender = &SmsSender::Mock;
        match (provider, &self.sms) {
            (SmsCarrier::Mock, _) => Ok(NOBODY),
            (_, SmsSender::Mock) | (SmsCarrier::Twilio, _) => Ok(&self.sms),
            (SmsCarrier::Openphone, _) => Err("this program has no connection to OpenPhone"),
        }
    }

    /// Whether what `sender` sends is real.
    pub(crate) fn mode(sender: &SmsSender) -> Mode {
        match sender {
            SmsSender::Mock => Mode::Simulated,
            SmsSender::Twilio(_) => Mode::Live,
        }
    }
}
