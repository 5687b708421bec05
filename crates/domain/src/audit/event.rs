//! The events of the audit log.
//!
//! The words are stored and never change: people filter by them, and old rows keep them. A row whose word is not listed
//! here was written by another version of the program; it is still read and shown ([`EntryView`](super::EntryView) keeps
//! the stored text).

use crate::text_enum::text_enum;

text_enum! {
    /// What happened.
    pub enum Event {
        /// A delivery of Stripe was stored.
        WebhookStripeReceived = "webhook.stripe.received",
        /// A text delivered by OpenPhone was stored.
        WebhookSmsReceived = "webhook.sms.received",
        /// A text or a status report delivered by Twilio was stored.
        WebhookTwilioReceived = "webhook.twilio.received",
        /// A report of VAPI about a call was stored.
        WebhookVapiReceived = "webhook.vapi.received",
        /// A delivery was refused because of its signature; it was not stored.
        WebhookValidationFailed = "webhook.validation.failed",
        /// A delivery was stored without a valid signature, because validation is off.
        WebhookUnverified = "webhook.unverified",
        /// A payment, a refund or a failure belongs to no booking known here.
        WebhookUnmatched = "webhook.unmatched",
        /// A booking was stored for the first time.
        BookingCreated = "booking.created",
        /// Somebody changed fields of a booking.
        BookingUpdated = "booking.updated",
        /// A booking took another status.
        BookingStatusChanged = "booking.status.changed",
        /// A booking got another price and a new snapshot of it.
        BookingRepriced = "booking.repriced",
        /// What a booking shows of its payments is different now.
        BookingPaymentChanged = "booking.payment.changed",
        /// A client's payment for a booking did not go through.
        BookingPaymentFailed = "booking.payment.failed",
        /// Every step that follows a confirmation is done.
        BookingConfirmedProcessed = "booking.confirmed.processed",
        /// The steps that follow a confirmation were given up.
        BookingConfirmedFailed = "booking.confirmed.failed",
        /// A conversation with a client was opened.
        ThreadCreated = "thread.created",
        /// A conversation got a masking number.
        ThreadNumberAssigned = "thread.number.assigned",
        /// A conversation was closed after its booking.
        ThreadClosed = "thread.closed",
        /// A sitter's window was opened.
        WindowCreated = "window.created",
        /// A sitter's window has other times now.
        WindowUpdated = "window.updated",
        /// An automation ended, with or without a text.
        AutomationExecuted = "automation.executed",
        /// A person started a failed automation anew.
        AutomationRetried = "automation.retried",
        /// An automation found no conversation of its booking and used another of the client.
        AutomationThreadFallback = "automation.thread_fallback",
        /// The provider accepted a text.
        MessageSent = "message.sent",
        /// A text was refused or not delivered.
        MessageFailed = "message.failed",
        /// A text was not sent because a rule forbids it.
        MessageBlocked = "message.blocked",
        /// A text that had not left was withdrawn.
        MessageTakenBack = "message.taken_back",
        /// A person has a failed text sent again.
        MessageRetried = "message.retried",
        /// A price rule took effect.
        PricingRuleAdded = "pricing.rule.added",
        /// A booking's stored price differs from the recomputed one.
        PricingDriftDetected = "pricing.drift.detected",
        /// A check of an organisation's prices reached its end.
        PricingReconciliationCompleted = "pricing.reconciliation.completed",
        /// A check of prices, or the price of one booking, could not be computed.
        PricingReconciliationFailed = "pricing.reconciliation.failed",
        /// A masking number was added to an organisation.
        NumberAdded = "number.added",
        /// A masking number was put into service or taken out of it.
        NumberChanged = "number.changed",
        /// A client asked for an appointment.
        ServiceRequestCreated = "service_request.created",
        /// A request got a provider to call.
        ServiceRequestRecommended = "service_request.recommended",
        /// A request was withdrawn.
        ServiceRequestCancelled = "service_request.cancelled",
        /// A call that books an appointment was asked for.
        BookingCallAccepted = "booking_call.accepted",
        /// The provider is about to be asked to place a call.
        BookingCallStarting = "booking_call.starting",
        /// The provider placed a call.
        BookingCallStarted = "booking_call.started",
        /// A call ended with an appointment.
        BookingCallCompleted = "booking_call.completed",
        /// A call ended without an appointment.
        BookingCallFailed = "booking_call.failed",
        /// A call was given up because its end was never reported.
        BookingCallTimeout = "booking_call.timeout",
        /// A call was given up because its request was withdrawn.
        BookingCallCancelled = "booking_call.cancelled",
        /// An appointment was booked, but its text could not be written.
        BookingCallSmsFailed = "booking_call.sms_failed",
        /// A person closed an exception.
        ExceptionResolved = "exception.resolved",
        /// A person put an exception off.
        ExceptionSnoozed = "exception.snoozed",
        /// A person gave an exception to somebody.
        ExceptionAssigned = "exception.assigned",
        /// A job was given up.
        JobDead = "job.dead",
        /// A person started a job anew.
        JobRetried = "job.retried",
        /// A person cancelled a job.
        JobCancelled = "job.cancelled",
        /// A person paused a queue.
        QueuePaused = "queue.paused",
        /// A person resumed a queue.
        QueueResumed = "queue.resumed",
        /// Somebody signed in.
        AuthLogin = "auth.login",
        /// Sign-ins failed.
        AuthFailed = "auth.failed",
        /// A key of the API was made.
        ApiKeyCreated = "api_key.created",
        /// A key of the API was revoked.
        ApiKeyRevoked = "api_key.revoked",
        /// A user was added.
        UserCreated = "user.created",
        /// A user got another password.
        UserPasswordSet = "user.password_set",
        /// Rows past their time were deleted or emptied.
        RetentionSwept = "retention.swept",
    }
}
