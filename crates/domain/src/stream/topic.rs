//! The topics that can be watched, and who may watch each.

use std::fmt;
use std::str::FromStr;

use nightshift_db::Db;

use crate::audience::Audience;
use crate::calls;
use crate::ids::ServiceRequestId;
use crate::viewer::{Reach, Viewer};
use crate::{Error, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topic {
    /// One service request.
    Request(ServiceRequestId),
    /// One thread, by its id.
    Thread(String),
    /// The events of one sitter.
    Sitter(String),
    /// `threads`, `windows` or `ledger` of an organisation, for its owners.
    Owners(&'static str),
    /// `exceptions` or `jobs`, for owners and the platform's operators.
    Trouble(&'static str),
}

impl FromStr for Topic {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        const OWNERS: [&str; 3] = ["threads", "windows", "ledger"];
        const TROUBLE: [&str; 2] = ["exceptions", "jobs"];
        if let Some(known) = OWNERS.iter().find(|known| **known == name) {
            return Ok(Self::Owners(known));
        }
        if let Some(known) = TROUBLE.iter().find(|known| **known == name) {
            return Ok(Self::Trouble(known));
        }
        match name.split_once(':') {
            Some(("request", id)) if !id.is_empty() => Ok(Self::Request(id.into())),
            Some(("thread", id)) if !id.is_empty() => Ok(Self::Thread(id.to_owned())),
            Some(("sitter", id)) if !id.is_empty() => Ok(Self::Sitter(id.to_owned())),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(id) => write!(f, "request:{id}"),
            Self::Thread(id) => write!(f, "thread:{id}"),
            Self::Sitter(id) => write!(f, "sitter:{id}"),
            Self::Owners(name) | Self::Trouble(name) => f.write_str(name),
        }
    }
}

impl Topic {
    /// Checks whether `viewer` may watch this topic. Events of other organisations are filtered out separately, by
    /// [`StreamEvent::is_for`](super::StreamEvent::is_for).
    ///
    /// # Errors
    /// [`Error::Forbidden`] `topic` if not.
    pub async fn check(&self, db: &Db, viewer: &Viewer) -> Result<()> {
        let is_owner = matches!(viewer.reach(), Reach::Org(_)) && viewer.audience() == Audience::Owner;
        let is_ops = *viewer.reach() == Reach::All;
        let may = match self {
            Self::Request(id) => match viewer.reach() {
                Reach::All => true,
                Reach::Request(own) => own == id,
                _ => match calls::org_of_request(db, viewer, id).await {
                    Ok(_) => true,
                    Err(Error::NotFound) => false,
                    Err(error) => return Err(error),
                },
            },
            Self::Sitter(id) => viewer.sitter_id().is_some_and(|sitter| sitter.as_str() == id),
            Self::Thread(id) => is_owner && is_theirs(db, viewer, id).await?,
            Self::Owners(_) => is_owner,
            Self::Trouble(_) => is_owner || is_ops,
        };
        if may { Ok(()) } else { Err(self.refused()) }
    }

    /// Returns the error for a viewer who may not watch this topic.
    #[must_use]
    pub fn refused(&self) -> Error {
        Error::forbidden("topic", format!("You may not watch {self}."))
    }
}

/// Whether a thread is of the viewer's organisation.
async fn is_theirs(db: &Db, viewer: &Viewer, thread: &str) -> Result<bool> {
    let known = db
        .read("SELECT EXISTS (SELECT 1 FROM message_threads WHERE id = $1 AND org_id = $2)")
        .bind(thread)
        .bind(viewer.organization()?)
        .scalar()
        .await?;
    Ok(known)
}
