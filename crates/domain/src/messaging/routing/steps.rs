//! The steps of a routing decision, in the order in which they were checked.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text_enum::text_enum;

text_enum! {
    /// What a step checks.
    pub enum Check as RoutingCheck {
        /// Whether the text was sent to the number for new businesses.
        OnboardingNumber = "onboarding_number",
        /// Whose number the text was sent to.
        Number = "number",
        /// Whether the text is a keyword such as STOP.
        Keyword = "keyword",
        /// Whether a sitter sent it.
        Sitter = "sitter",
        /// Whether it answers an offer.
        OfferCommand = "offer_command",
        /// Whether a known client sent it.
        Client = "client",
        /// Whether a window is active in one of the client's threads on the number.
        ActiveWindow = "active_window",
        /// Whether the client has an open thread on the number.
        OpenThread = "open_thread",
        /// Whether the number is a sitter's own.
        SitterNumber = "sitter_number",
        /// The client's general thread, if nothing else has matched.
        GeneralThread = "general_thread",
    }
}

text_enum! {
    /// The result of a check.
    pub enum Finding as RoutingFinding {
        Matched = "matched",
        NotMatched = "not_matched",
    }
}

/// One check of a routing decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RoutingStep)]
pub struct Step {
    pub step: Check,
    /// What was looked at. Never a full phone number or the text itself.
    pub checked: String,
    pub result: Finding,
    /// What the result means.
    pub reason: String,
}

/// The steps so far.
#[derive(Debug, Default)]
pub(super) struct Steps(Vec<Step>);

impl Steps {
    pub(super) fn matched(&mut self, step: Check, checked: impl Into<String>, reason: impl Into<String>) {
        self.add(step, checked.into(), Finding::Matched, reason.into());
    }

    pub(super) fn not(&mut self, step: Check, checked: impl Into<String>, reason: impl Into<String>) {
        self.add(step, checked.into(), Finding::NotMatched, reason.into());
    }

    fn add(&mut self, step: Check, checked: String, result: Finding, reason: String) {
        self.0.push(Step { step, checked, result, reason });
    }

    pub(super) fn into_vec(self) -> Vec<Step> {
        self.0
    }
}
