//! The telephone of this program: nobody, the operator's own phone, or the provider.
//!
//! Which of them is decided when the program starts, and each is a type of its own. The test line has no way to be given
//! a number: it knows the one phone that it calls. A line places a call only with the permit of its effect.

use nightshift_domain::calls::{Call, Dialing};
use nightshift_domain::phone::PhoneNumber;
use nightshift_providers::vapi::{StartCall, StartError, StartedCall, VapiClient, Webhook};
use nightshift_queue::effects::Permit;
use serde_json::{Value, json};

/// Whom this program's calls reach.
#[derive(Debug, Clone)]
pub enum Caller {
    /// Nobody: calls are made up.
    Simulated,
    /// The operator's own phone.
    Test(TestLine),
    /// The provider.
    Production(ProductionLine),
}

/// Calls one phone, whoever is to be called.
#[derive(Debug, Clone)]
pub struct TestLine {
    /// The service.
    pub vapi: VapiClient,
    /// That phone.
    pub phone: PhoneNumber,
}

/// Calls providers.
#[derive(Debug, Clone)]
pub struct ProductionLine {
    /// The service.
    pub vapi: VapiClient,
}

impl Caller {
    /// As the domain stamps it on a call.
    #[must_use]
    pub fn dialing(&self) -> Dialing {
        match self {
            Self::Simulated => Dialing::Simulated,
            Self::Test(line) => Dialing::Test(line.phone.clone()),
            Self::Production(_) => Dialing::Production,
        }
    }

    /// The service, unless nobody is called.
    #[must_use]
    pub fn vapi(&self) -> Option<&VapiClient> {
        match self {
            Self::Simulated => None,
            Self::Test(line) => Some(&line.vapi),
            Self::Production(line) => Some(&line.vapi),
        }
    }
}

impl TestLine {
    pub(crate) async fn start(
        &self,
        permit: &Permit<Box<Call>>,
        webhook: Option<Webhook>,
    ) -> Result<StartedCall, StartError> {
        self.vapi.start(&words(permit.request(), self.phone.e164(), webhook)).await
    }
}

impl ProductionLine {
    pub(crate) async fn start(
        &self,
        permit: &Permit<Box<Call>>,
        webhook: Option<Webhook>,
    ) -> Result<StartedCall, StartError> {
        let call = permit.request();
        self.vapi.start(&words(call, call.original_phone.e164(), webhook)).await
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
