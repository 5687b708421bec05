//! Who this program calls: nobody, the operator's own phone, or the service provider.
//!
//! This is decided when the program starts, and each case has a type of its own. A test line can't be given a number:
//! it knows only the one phone that it calls. A line places a call only with the permit of its effect.

use nightshift_domain::calls::{Call, Dialing};
use nightshift_domain::phone::PhoneNumber;
use nightshift_providers::vapi::{self, AskError, Lookup, StartCall, StartError, StartedCall, VapiClient, Webhook};
use nightshift_queue::effects::{Expired, Permit};
use serde_json::{Value, json};

/// Who this program's calls reach.
#[derive(Debug, Clone)]
pub enum Dialer {
    /// Nobody: calls are simulated.
    Simulated,
    /// The operator's own phone.
    Test(TestLine),
    /// The service provider.
    Production(ProductionLine),
}

/// Calls the same phone, whichever provider the call is for.
#[derive(Debug, Clone)]
pub struct TestLine {
    vapi: VapiClient,
    phone: PhoneNumber,
}

/// Calls service providers.
#[derive(Debug, Clone)]
pub struct ProductionLine {
    vapi: VapiClient,
}

impl Dialer {
    /// Returns the setting in the form that the domain stores with a call.
    #[must_use]
    pub fn dialing(&self) -> Dialing {
        match self {
            Self::Simulated => Dialing::Simulated,
            Self::Test(line) => Dialing::Test(line.phone.clone()),
            Self::Production(_) => Dialing::Production,
        }
    }

    /// Checks whether VAPI answers and accepts the API key. Succeeds without a request if calls are simulated.
    ///
    /// # Errors
    /// The reason why it does not.
    pub async fn check(&self) -> Result<(), AskError> {
        match self.records() {
            Some(records) => records.0.check().await,
            None => Ok(()),
        }
    }

    /// Returns access to VAPI's records of calls, unless calls are simulated.
    pub(crate) fn records(&self) -> Option<CallRecords<'_>> {
        match self {
            Self::Simulated => None,
            Self::Test(line) => Some(CallRecords(&line.vapi)),
            Self::Production(line) => Some(CallRecords(&line.vapi)),
        }
    }
}

/// Reads VAPI's records of calls. Can't place calls.
pub(crate) struct CallRecords<'a>(&'a VapiClient);

impl CallRecords<'_> {
    pub(crate) async fn get(&self, vapi_call_id: &str) -> Result<vapi::Call, AskError> {
        self.0.get(vapi_call_id).await
    }

    pub(crate) async fn find(&self, lookup: &Lookup) -> Result<Option<StartedCall>, AskError> {
        self.0.find(lookup).await
    }
}

impl TestLine {
    /// Creates a line that calls only `phone`.
    #[must_use]
    pub fn new(vapi: VapiClient, phone: PhoneNumber) -> Self {
        Self { vapi, phone }
    }

    pub(crate) async fn start(
        &self,
        permit: Permit<Box<Call>>,
        webhook: Option<Webhook>,
    ) -> Result<Result<StartedCall, StartError>, Expired> {
        let call = permit.into_request()?;
        Ok(self.vapi.start(&words(&call, self.phone.e164(), webhook)).await)
    }
}

impl ProductionLine {
    /// Creates a line that calls service providers.
    #[must_use]
    pub fn new(vapi: VapiClient) -> Self {
        Self { vapi }
    }

    pub(crate) async fn start(
        &self,
        permit: Permit<Box<Call>>,
        webhook: Option<Webhook>,
    ) -> Result<Result<StartedCall, StartError>, Expired> {
        let call = permit.into_request()?;
        Ok(self.vapi.start(&words(&call, call.original_phone.e164(), webhook)).await)
    }
}

fn words(call: &Call, number: String, webhook: Option<Webhook>) -> StartCall {
    const TOLD: [&str; 8] = [
        "providerName",
        "serviceDescription",
        "preferredDate",
        "preferredTime",
        "customerName",
        "customerPhone",
        "location",
        "notes",
    ];
    let told: serde_json::Map<String, Value> =
        TOLD.iter().map(|name| ((*name).to_owned(), json!(call.asked(name).unwrap_or_default()))).collect();
    StartCall {
        number,
        name: call.execution_id.clone(),
        booking_call_id: call.id.as_str().to_owned(),
        variables: told.into(),
        webhook,
    }
}
