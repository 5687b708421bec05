//! Who makes a change.

use crate::ids::{ApiKeyId, InboxId, UserId};

/// The author of a change, as the status history and the audit log record it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A signed-in user.
    User { id: UserId },
    /// A program with an API key.
    ApiKey { id: ApiKeyId },
    /// A webhook.
    Webhook { inbox_id: InboxId },
    /// The program itself.
    System {
        /// The id of a job, or the name of a command.
        source: String,
    },
    /// Somebody who uses a program that runs without authentication.
    Unauthenticated,
}

impl Actor {
    /// Returns the actor for the program itself; `source` is the id of a job or the name of a command.
    pub fn system(source: impl Into<String>) -> Self {
        Self::System { source: source.into() }
    }

    /// Returns `user`, `api_key`, `webhook` or `system`.
    #[must_use]
    pub fn actor_type(&self) -> &'static str {
        match self {
            Self::User { .. } | Self::Unauthenticated => "user",
            Self::ApiKey { .. } => "api_key",
            Self::Webhook { .. } => "webhook",
            Self::System { .. } => "system",
        }
    }

    /// Returns the id of the user or the API key.
    #[must_use]
    pub fn actor_id(&self) -> Option<&str> {
        match self {
            Self::User { id } => Some(id.as_str()),
            Self::ApiKey { id } => Some(id.as_str()),
            Self::Webhook { .. } | Self::System { .. } | Self::Unauthenticated => None,
        }
    }

    /// Returns the signed-in user, if there is one.
    #[must_use]
    pub fn changed_by_user_id(&self) -> Option<&UserId> {
        match self {
            Self::User { id } => Some(id),
            _ => None,
        }
    }

    /// Returns what caused the change if no user or API key did: the id of a delivery or a job, or the name of a
    /// command.
    #[must_use]
    pub fn source_ref(&self) -> Option<&str> {
        match self {
            Self::Webhook { inbox_id } => Some(inbox_id.as_str()),
            Self::System { source } => Some(source),
            _ => None,
        }
    }
}
