//! One type for each kind of id, so that an id can't be used in place of another.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, sqlx::Type,
            utoipa::ToSchema,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(String);

        impl $name {
            /// Creates a new id. Ids sort by their time of creation.
            #[must_use]
            pub fn new(now: nightshift_db::Timestamp) -> Self {
                Self(nightshift_db::new_id(now))
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}

ids! {
    /// The id of an organisation.
    OrgId,
    /// The id of a user.
    UserId,
    /// The id of a session.
    SessionId,
    /// The id of an API key.
    ApiKeyId,
    /// The id of a sitter.
    SitterId,
    /// The id of a client.
    ClientId,
    /// The id of a booking.
    BookingId,
    /// The id of an entry in a booking's status history.
    HistoryId,
    /// The id of a masking number.
    NumberId,
    /// The id of a thread, which is one conversation.
    ThreadId,
    /// The id of a text message.
    MessageId,
    /// The id of an assignment window.
    WindowId,
    /// The id of an automation.
    AutomationId,
    /// The id of a run of an automation.
    AutomationRunId,
    /// The id of a received webhook event.
    InboxId,
    /// The id of an exception, which is an item of the operators' work queue.
    ExceptionId,
    /// The id of an entry in the audit log.
    EventId,
    /// The id of a request for an appointment with a service provider.
    ServiceRequestId,
    /// The id of a service provider that a request may call.
    ServiceProviderId,
    /// The id of a call to a service provider.
    CallId,
    /// The id of a price rule.
    RuleId,
    /// The id of a price snapshot.
    SnapshotId,
    /// The id of a reconciliation run.
    ReconciliationRunId,
    /// The id of a price difference that a run found.
    DriftId,
    /// The id of an offer, which is a booking that a sitter may accept.
    OfferId,
    /// The id of the record why a text was routed where it was.
    TraceId,
    /// The id of a link between a text that requires a response and the response.
    ResponseLinkId,
}
