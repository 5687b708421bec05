//! The event types of the audit log.
//!
//! The words are stored and never change: users filter by them, and old rows keep them. A row whose word is not listed
//! here was written by another version of the program; it is still read and shown ([`EntryView`](super::EntryView)
//! holds the stored text).

use crate::text_enum::text_enum;

text_enum! {
    /// What happened.
    pub enum Event {
        /// A delivery from Stripe was stored.
        WebhookStripeReceived = "webhook.stripe.received",
        /// A text message delivered by OpenPhone was stored.
        WebhookSmsReceived = "webhook.sms.received",
        /// A text message or a status report delivered by Twilio was stored.
        WebhookTwilioReceived = "webhook.twilio.received",
        /// A report from VAPI about a call was stored.
        WebhookVapiReceived = "webhook.vapi.received",
        /// A delivery was rejected because of its signature. It was not stored.
        WebhookValidationFailed = "webhook.validation.failed",
        /// A delivery was stored without a valid signature, because validation is off.
        WebhookUnverified = "webhook.unverified",
        /// A payment, refund or payment failure matches no known booking.
        WebhookUnmatched = "webhook.unmatched",
        BookingCreated = "booking.created",
        /// Fields of a booking were changed.
        BookingUpdated = "booking.updated",
        BookingStatusChanged = "booking.status.changed",
        /// A booking got a new price and a new price snapshot.
        BookingRepriced = "booking.repriced",
        /// The payment state that a booking shows has changed.
        BookingPaymentChanged = "booking.payment.changed",
        BookingPaymentFailed = "booking.payment.failed",
        /// Every step after a confirmation is done.
        BookingConfirmedProcessed = "booking.confirmed.processed",
        /// The steps after a confirmation were given up.
        BookingConfirmedFailed = "booking.confirmed.failed",
        ThreadCreated = "thread.created",
        /// A conversation got a masking number.
        ThreadNumberAssigned = "thread.number.assigned",
        /// A conversation was closed after its booking.
        ThreadClosed = "thread.closed",
        /// A sitter's window was opened.
        WindowCreated = "window.created",
        /// The times of a sitter's window were changed.
        WindowUpdated = "window.updated",
        /// An automation run ended, with or without a text.
        AutomationExecuted = "automation.executed",
        /// A user restarted a failed automation run.
        AutomationRetried = "automation.retried",
        /// An automation run had no conversation of its booking and used the client's general one.
        AutomationThreadFallback = "automation.thread_fallback",
        /// An inbound text was stored in its conversation.
        MessageReceived = "message.received",
        /// The carrier accepted a text.
        MessageSent = "message.sent",
        /// A text was rejected or not delivered.
        MessageFailed = "message.failed",
        /// A text was not sent because a rule forbids it.
        MessageBlocked = "message.blocked",
        /// A text waits, because the carrier lets none through to its recipient at this hour.
        MessageHeld = "message.held",
        /// A text was withdrawn before it was sent.
        MessageTakenBack = "message.taken_back",
        /// A user had a failed text sent again.
        MessageRetried = "message.retried",
        /// A person asked for no more texts, or somebody recorded that they did.
        RecipientOptedOut = "recipient.opted_out",
        /// A person asked for texts again.
        RecipientOptedIn = "recipient.opted_in",
        /// Somebody decided about a text that seems to ask for no more texts.
        OptOutWishDecided = "opt_out_wish.decided",
        /// An inbound text reached no organisation.
        MessageUnroutable = "message.unroutable",
        /// A conversation was closed, opened, assigned, or put away by a person.
        ThreadChanged = "thread.changed",
        /// A booking was offered to a sitter.
        OfferCreated = "offer.created",
        OfferSent = "offer.sent",
        OfferAccepted = "offer.accepted",
        OfferDeclined = "offer.declined",
        OfferExpired = "offer.expired",
        /// An offer was withdrawn, by a person or because its booking was cancelled.
        OfferWithdrawn = "offer.withdrawn",
        /// An offer ended because the booking went to another sitter.
        OfferSuperseded = "offer.superseded",
        SitterTierChanged = "sitter.tier.changed",
        SitterAdded = "sitter.added",
        SitterChanged = "sitter.changed",
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
        /// A service request got a service provider to call.
        ServiceRequestRecommended = "service_request.recommended",
        ServiceRequestCancelled = "service_request.cancelled",
        /// A user or a program asked for a call that books an appointment.
        BookingCallAccepted = "booking_call.accepted",
        /// The call service is about to be asked to place a call.
        BookingCallStarting = "booking_call.starting",
        /// The call service placed a call.
        BookingCallStarted = "booking_call.started",
        /// A call ended, with or without an appointment.
        BookingCallCompleted = "booking_call.completed",
        /// A call could not be placed, or broke off.
        BookingCallFailed = "booking_call.failed",
        /// A call was given up because its end was never reported.
        BookingCallTimeout = "booking_call.timeout",
        /// A call was cancelled.
        BookingCallCancelled = "booking_call.cancelled",
        /// An appointment was booked, but its text could not be written.
        BookingCallSmsFailed = "booking_call.sms_failed",
        ExceptionResolved = "exception.resolved",
        ExceptionSnoozed = "exception.snoozed",
        /// A user assigned an exception to somebody.
        ExceptionAssigned = "exception.assigned",
        /// A job was given up.
        JobDead = "job.dead",
        /// A user retried a job.
        JobRetried = "job.retried",
        JobCancelled = "job.cancelled",
        QueuePaused = "queue.paused",
        QueueResumed = "queue.resumed",
        AuthLogin = "auth.login",
        AuthFailed = "auth.failed",
        ApiKeyCreated = "api_key.created",
        ApiKeyRevoked = "api_key.revoked",
        UserCreated = "user.created",
        UserPasswordSet = "user.password_set",
        /// Rows past their retention time were deleted or emptied.
        RetentionSwept = "retention.swept",
    }
}
