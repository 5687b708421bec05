//! Which carrier sends the texts of a number.

use std::sync::Arc;

use nightshift_db::Timestamp;
use nightshift_domain::messaging::numbers::SmsCarrier;
use nightshift_providers::openphone::OpenPhoneClient;
use nightshift_providers::sms::{Carrier, MockCarrier};
use nightshift_providers::twilio::TwilioClient;
use nightshift_queue::Mode;

use crate::pace::Pace;

/// The requests a second that OpenPhone accepts with one key.
const OPENPHONE_PER_SECOND: usize = 10;
/// Of these, the requests that are left for look-ups.
const OPENPHONE_LOOKUPS: usize = 2;

/// The carriers with which this program has a connection.
#[derive(Debug)]
pub enum Carriers {
    /// Every text is simulated, whatever carrier its number has.
    Simulated,
    /// The texts of a number are sent by its own carrier.
    Real {
        twilio: Arc<TwilioClient>,
        /// `None` without an API key.
        openphone: Option<OpenPhone>,
    },
}

/// The connection with OpenPhone, whose rate is limited over all numbers.
#[derive(Debug)]
pub struct OpenPhone {
    client: OpenPhoneClient,
    pace: Pace,
}

impl OpenPhone {
    /// Sends with this client, no faster than OpenPhone allows for its key.
    #[must_use]
    pub fn new(client: OpenPhoneClient) -> Self {
        Self { client, pace: Pace::per_second(OPENPHONE_PER_SECOND - OPENPHONE_LOOKUPS) }
    }
}

/// No carrier can send the texts of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCarrier {
    #[error("its number belongs to OpenPhone, but OPENPHONE_API_KEY is not set")]
    NoOpenPhoneKey,
}

impl NoCarrier {
    /// Returns the error code of a text that can't be sent for this reason.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NoOpenPhoneKey => "no_openphone_key",
        }
    }
}

impl Carriers {
    /// Returns the sender for the texts of a number of `carrier`. A number of the carrier `mock` needs no service.
    pub(crate) fn sender(&self, carrier: SmsCarrier) -> Result<&dyn Carrier, NoCarrier> {
        match (self, carrier) {
            (Self::Simulated, _) | (_, SmsCarrier::Mock) => Ok(&MockCarrier),
            (Self::Real { twilio, .. }, SmsCarrier::Twilio) => Ok(twilio.as_ref()),
            (Self::Real { openphone: Some(openphone), .. }, SmsCarrier::Openphone) => Ok(&openphone.client),
            (Self::Real { openphone: None, .. }, SmsCarrier::Openphone) => Err(NoCarrier::NoOpenPhoneKey),
        }
    }

    /// Takes one of the requests that `carrier` accepts at this time over all numbers, or returns when to try again.
    pub(crate) fn take_turn(&self, carrier: SmsCarrier, now: Timestamp) -> Result<(), Timestamp> {
        match (self, carrier) {
            (Self::Real { openphone: Some(openphone), .. }, SmsCarrier::Openphone) => openphone.pace.take(now),
            _ => Ok(()),
        }
    }
}

/// Returns whether the texts of `carrier` are real.
pub(crate) fn mode(carrier: &dyn Carrier) -> Mode {
    if carrier.is_live() { Mode::Live } else { Mode::Simulated }
}
