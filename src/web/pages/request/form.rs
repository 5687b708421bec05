//! The form by which a provider is booked: what is filled in, and what is wrong with it.

use std::collections::BTreeMap;

use nightshift_domain::calls::{RequestView, Schedule};
use nightshift_domain::ids::RequestId;
use serde::Deserialize;
use utoipa::ToSchema;

/// What a visitor filled in.
#[derive(Default, Deserialize, ToSchema)]
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
    pub(super) fn wish(&self, request: &RequestId) -> Schedule {
        let filled = |text: &String| Some(text.clone()).filter(|text| !text.trim().is_empty());
        Schedule {
            service_request_id: Some(request.to_string()),
            provider_id: Some(self.provider_id.clone()),
            preferred_date: filled(&self.preferred_date),
            preferred_time: filled(&self.preferred_time),
            customer_name: filled(&self.customer_name),
            customer_phone: filled(&self.customer_phone),
            ..Schedule::default()
        }
    }
}

/// The form as the page shows it.
pub(super) struct Shown {
    pub(super) filled: Filled,
    /// What is wrong, by field.
    pub(super) wrong: BTreeMap<String, String>,
    pub(super) asks_about_past: bool,
}

impl Shown {
    /// A new form, for the provider of this id.
    pub(super) fn new(request: &RequestView, provider_id: Option<&str>) -> Self {
        let filled = Filled {
            provider_id: provider_id.unwrap_or_default().to_owned(),
            customer_name: request.contact_name.clone().unwrap_or_default(),
            customer_phone: request.user_phone.clone().unwrap_or_default(),
            ..Filled::default()
        };
        Self { filled, wrong: BTreeMap::new(), asks_about_past: false }
    }

    /// What is wrong with a field.
    pub(super) fn wrong(&self, field: &str) -> Option<&str> {
        self.wrong.get(field).map(String::as_str)
    }
}
