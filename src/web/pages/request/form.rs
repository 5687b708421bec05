//! The form by which a provider is booked: what is sent, and how the page shows it.

use nightshift_domain::calls::{NewCall, ServiceProviderView, ServiceRequestView};
use nightshift_domain::ids::ServiceRequestId;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::web::pages::kit::Typed;

/// What a visitor filled in.
#[derive(Deserialize, ToSchema)]
#[schema(as = BookFormFields)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filled {
    pub(super) provider_id: String,
    #[serde(default)]
    pub(super) preferred_date: String,
    #[serde(default)]
    pub(super) preferred_time: String,
    #[serde(default)]
    pub(super) customer_name: String,
    #[serde(default)]
    pub(super) customer_phone: String,
}

impl Filled {
    /// What it asks for.
    pub(super) fn new_call(&self, request: &ServiceRequestId) -> NewCall {
        let filled = |text: &String| Some(text.clone()).filter(|text| !text.trim().is_empty());
        NewCall {
            service_request_id: Some(request.to_string()),
            provider_id: Some(self.provider_id.clone()),
            preferred_date: filled(&self.preferred_date),
            preferred_time: filled(&self.preferred_time),
            customer_name: filled(&self.customer_name),
            customer_phone: filled(&self.customer_phone),
            ..NewCall::default()
        }
    }
}

/// The form as the page shows it.
pub(super) struct Form<'a> {
    /// The organisation's zone, in which a date is past or not.
    pub(super) zone: &'static str,
    /// Whom it is open for; none while the dialog is closed.
    pub(super) provider: Option<&'a ServiceProviderView>,
    pub(super) typed: Typed,
    pub(super) asks_about_past: bool,
}

impl Form<'_> {
    /// What became of a form that was sent and can't be shown again, for the request has changed meanwhile.
    pub(super) fn lost(&self) -> Option<&str> {
        let is_back = self.typed.is_refused() || self.asks_about_past;
        let told = self.typed.refusal().unwrap_or("The request has changed meanwhile; nothing was booked.");
        (is_back && self.provider.is_none()).then_some(told)
    }
}

/// What a new form holds, for the provider of this id.
pub(super) fn blank(request: &ServiceRequestView, provider_id: Option<&str>) -> Typed {
    Typed::of([
        ("providerId", provider_id.unwrap_or_default()),
        ("customerName", request.contact_name.as_deref().unwrap_or_default()),
        ("customerPhone", request.user_phone.as_deref().unwrap_or_default()),
    ])
}
