//! The kinds of exceptions and their labels.
//!
//! The words are stored and never change. A row whose word is not listed here was raised by another version of the
//! program; it is still listed and shown ([`ExceptionView`](super::ExceptionView) holds the stored text).

use crate::text_enum::text_enum;

text_enum! {
    pub enum ExceptionKind {
        /// A call booked an appointment for a time in the past.
        AppointmentInPast = "appointment_in_past",
        /// An automation run was given up before its text was written.
        AutomationFailed = "automation_failed",
        /// A call that should have booked an appointment failed, or its end was never reported.
        BookingCallFailed = "booking_call_failed",
        /// A job used up its attempts, or can't succeed.
        JobDead = "job_dead",
        /// An appointment was reported after its call was given up, and could not be accepted any more.
        LateBookingConfirmation = "late_booking_confirmation",
        /// A conversation, or an organisation's front desk, has no number in service.
        NoNumberAvailable = "no_number_available",
        /// A number has a new owner, who has not asked for texts.
        NumberReassigned = "number_reassigned",
        /// Every sitter has declined a booking's offers, or let them expire.
        OfferUnfilled = "offer_unfilled",
        PaymentAfterCancellation = "payment_after_cancellation",
        /// A payment differs from its booking's price, or is a second payment for it.
        PaymentAmountMismatch = "payment_amount_mismatch",
        /// A payment matches no booking and no client known here.
        PaymentUnmatched = "payment_unmatched",
        /// A booking's stored price differs from the recomputed one.
        PricingDrift = "pricing_drift",
        /// A nightly check of prices failed, or the price of one booking could not be computed.
        ReconciliationFailed = "reconciliation_failed",
        /// The carrier knows the recipient as one who sues senders of texts.
        RecipientLitigator = "recipient_litigator",
        /// It is unknown whether a text was sent.
        SmsUnconfirmed = "sms_unconfirmed",
        /// A text was rejected or not delivered.
        SmsUndelivered = "sms_undelivered",
        /// A text was sent to a number that belongs to no organisation.
        SmsUnroutable = "sms_unroutable",
        /// Many deliveries from a webhook source were rejected because of their signature.
        WebhookSignatureInvalid = "webhook_signature_invalid",
        /// A refund or a failed payment matches nothing known here.
        WebhookUnmatched = "webhook_unmatched",
        /// Production accepts webhooks without a valid signature.
        WebhookValidationDisabled = "webhook_validation_disabled",
    }
}

impl ExceptionKind {
    /// Returns a short label for lists and filters.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::AppointmentInPast => "Appointment in the past",
            Self::AutomationFailed => "Automation failed",
            Self::BookingCallFailed => "Booking call failed",
            Self::JobDead => "Dead job",
            Self::LateBookingConfirmation => "Appointment confirmed late",
            Self::NoNumberAvailable => "No number available",
            Self::NumberReassigned => "Number has a new owner",
            Self::OfferUnfilled => "Nobody took the booking",
            Self::PaymentAfterCancellation => "Payment after cancellation",
            Self::PaymentAmountMismatch => "Payment amount differs",
            Self::PaymentUnmatched => "Payment without a booking",
            Self::PricingDrift => "Price drift",
            Self::ReconciliationFailed => "Price check failed",
            Self::RecipientLitigator => "Recipient sues senders",
            Self::SmsUnconfirmed => "Text unconfirmed",
            Self::SmsUndelivered => "Text not delivered",
            Self::SmsUnroutable => "Text to an unknown number",
            Self::WebhookSignatureInvalid => "Webhook signatures invalid",
            Self::WebhookUnmatched => "Webhook without a booking",
            Self::WebhookValidationDisabled => "Webhook validation off",
        }
    }
}
