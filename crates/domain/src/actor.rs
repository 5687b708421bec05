//! Who does something.

use crate::ids::{ApiKeyId, InboxId, UserId};

/// The doer of a change, as it goes into the history and the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Somebody signed in.
    User {
        /// Who.
        id: UserId,
    },
    /// A program with a key.
    ApiKey {
        /// Which key.
        id: ApiKeyId,
    },
    /// A provider's webhook.
    Webhook {
        /// The delivery.
        inbox_id: InboxId,
    },
    /// The program itself.
    System {
        /// The job or command.
        source: String,
    },
    /// Somebody at a program that runs without authentication.
    Unauthenticated,
}

impl Actor {
    /// The program itself, on behalf of `source` (a job's id, a command's name).
    pub fn system(source: impl Into<String>) -> Self {
        Self::System { source: source.into() }
    }

    /// `user`, `api_key`, `webhook` or `system`.
    #[must_use]
    pub fn actor_type(&self) -> &'static str {
        match self {
            Self::User { .. } | Self::Unauthenticated => "user",
            Self::ApiKey { .. } => "api_key",
            Self::Webhook { .. } => "webhook",
            Self::System { .. } => "system",
        }
    }

    /// The user's or key's id.
    #[must_use]
    pub fn actor_id(&self) -> Option<&str> {
        match self {
            Self::User { id } => Some(id.as_str()),
            Self::ApiKey { id } => Some(id.as_str()),
            Self::Webhook { .. } | Self::System { .. } | Self::Unauthenticated => None,
        }
    }

    /// The user, when one is signed in.
    #[must_use]
    pub fn changed_by_user_id(&self) -> Option<&UserId> {
        match self {
            Self::User { id } => Some(id),
            _ => None,
        }
    }

    /// What caused it, when that is not a person: a delivery, a job.
    #[must_use]
    pub fn source_ref(&self) -> Option<&str> {
        match self {
            Self::Webhook { inbox_id } => Some(inbox_id.as_str()),
            Self::System { source } => Some(source),
            _ => None,
        }
    }
}
