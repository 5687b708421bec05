//! The state that handlers share, besides the queue.

use std::time::Duration;

use nightshift_domain::phone::PhoneNumber;
use nightshift_domain::reconciliation::Thresholds;
use nightshift_providers::vapi::{Webhook, WebhookProof};

use crate::carriers::Carriers;
use crate::dialer::Dialer;

/// Makes Twilio send a report up to three more times, also after an error status or a timeout of ours. By default
/// Twilio retries once and only if it can't connect.
const CALLBACK_RETRIES: &str = "#rc=3&rp=ct,rt,5xx";

/// The services and settings that handlers use.
#[derive(Debug)]
pub struct App {
    carriers: Carriers,
    public_url: String,
    window_grace: Duration,
    calls: Calls,
    reconciliation: Reconciliation,
    onboarding: PhoneNumber,
}

/// The settings of the price check.
#[derive(Debug, Clone, Copy)]
pub struct Reconciliation {
    /// The number of bookings that are compared and recorded at a time.
    pub chunk_size: i64,
    /// Bookings that ended longer ago are not checked.
    pub lookback: Duration,
    /// The thresholds of organisations that have none of their own.
    pub thresholds: Thresholds,
}

/// The settings of calls.
#[derive(Debug, Clone)]
pub struct Calls {
    pub dialer: Dialer,
    /// Authenticates VAPI's reports. Without it VAPI is not asked to send reports.
    pub webhook_proof: Option<WebhookProof>,
    /// The time between two polls of a call.
    pub poll_interval: Duration,
    /// The number of polls after which a call has timed out.
    pub polls_max: i64,
}

impl App {
    /// Creates the state. Providers reach this program at `public_url`; a window stays open for `window_grace` after
    /// its booking; new businesses write to the number `onboarding`.
    #[must_use]
    pub fn new(
        carriers: Carriers,
        calls: Calls,
        reconciliation: Reconciliation,
        public_url: String,
        window_grace: Duration,
        onboarding: PhoneNumber,
    ) -> Self {
        Self { carriers, public_url, window_grace, calls, reconciliation, onboarding }
    }

    /// Returns the number for new businesses.
    pub(crate) fn onboarding(&self) -> &PhoneNumber {
        &self.onboarding
    }

    pub(crate) fn reconciliation(&self) -> Reconciliation {
        self.reconciliation
    }

    pub(crate) fn dialer(&self) -> &Dialer {
        &self.calls.dialer
    }

    /// Returns the time between two polls of a call.
    pub(crate) fn poll_interval(&self) -> Duration {
        self.calls.poll_interval
    }

    /// Returns the number of polls after which a call has timed out.
    pub(crate) fn polls_max(&self) -> i64 {
        self.calls.polls_max
    }

    /// Returns where and how VAPI sends its reports; `None` if it is not to send any.
    pub(crate) fn vapi_webhook(&self) -> Option<Webhook> {
        let proof = self.calls.webhook_proof.clone()?;
        Some(Webhook { url: format!("{}/api/webhooks/vapi", self.public_url), proof })
    }

    /// Returns how long a window stays open after the end of its booking.
    pub(crate) fn window_grace(&self) -> Duration {
        self.window_grace
    }

    /// Returns the carriers that send texts.
    pub(crate) fn carriers(&self) -> &Carriers {
        &self.carriers
    }

    /// Returns the URL for Twilio's reports about a text.
    pub(crate) fn status_callback(&self) -> String {
        format!("{}/api/twilio/status{CALLBACK_RETRIES}", self.public_url)
    }
}
