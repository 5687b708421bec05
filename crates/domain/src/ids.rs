//! A type per kind of id, so that one can't stand where another belongs.

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
            /// A new, sortable id.
            #[must_use]
            pub fn new(now: nightshift_db::Timestamp) -> Self {
                Self(nightshift_db::new_id(now))
            }

            /// The id as text.
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
    /// An organisation.
    OrgId,
    /// Somebody who can sign in.
    UserId,
    /// A signed-in session.
    SessionId,
    /// A program's key.
    ApiKeyId,
    /// A sitter.
    SitterId,
    /// A client.
    ClientId,
    /// A booking.
    BookingId,
    /// An entry of a booking's status history.
    HistoryId,
    /// A business number.
    NumberId,
    /// A conversation.
    ThreadId,
    /// A message.
    MessageId,
    /// An assignment window.
    WindowId,
    /// An automation.
    AutomationId,
    /// One execution of an automation.
    AutomationRunId,
    /// A received webhook.
    InboxId,
    /// An item of the human work queue.
    ExceptionId,
    /// An entry of the audit log.
    EventId,
    /// A request for an appointment elsewhere.
    ServiceRequestId,
    /// Somebody who may give one.
    ServiceProviderId,
    /// A call that asks for one.
    CallId,
    /// A version of a service's price.
    RuleId,
    /// What a booking was priced with.
    SnapshotId,
    /// A run of the reconciliation.
    ReconciliationRunId,
    /// A difference that a run found.
    DriftId,
}
