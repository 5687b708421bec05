//! What can be watched, and by whom.

use std::fmt;
use std::str::FromStr;

use nightshift_domain::calls;
use nightshift_domain::ids::RequestId;
use nightshift_domain::people::users::Role;

use crate::web::auth::{Caller, Principal};
use crate::web::error::{ApiError, Result};
use crate::web::state::Web;

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Topic {
    /// One request for an appointment.
    Request(RequestId),
    /// One conversation.
    Thread(String),
    /// What concerns one sitter.
    Sitter(String),
    /// `threads`, `windows` or `ledger`: an organisation's.
    Owners(&'static str),
    /// `exceptions` or `jobs`: for those who mend things.
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
    /// Whether `caller` may watch it. Events of other organisations are left out besides.
    ///
    /// # Errors
    /// 403.
    pub(super) async fn check(&self, web: &Web, caller: &Caller) -> Result<()> {
        let role = match caller.principal() {
            Principal::User { user, .. } => Some(user.role),
            Principal::Local { .. } => return Ok(()),
            _ => None,
        };
        let may = match self {
            Self::Request(id) if caller.is_link() => caller.org_of(web, id).is_ok(),
            Self::Request(id) => match (role, calls::org_of_request(&web.db, id).await?) {
                (Some(Role::Ops), _) => true,
                (Some(Role::Owner), Some(org)) => caller.reach() == Some(&org),
                _ => false,
            },
            Self::Sitter(id) => caller.sitter().is_some_and(|sitter| sitter.as_str() == id),
            Self::Thread(_) | Self::Owners(_) => role == Some(Role::Owner),
            Self::Trouble(_) => matches!(role, Some(Role::Owner | Role::Ops)),
        };
        if may { Ok(()) } else { Err(ApiError::forbidden("topic", format!("You may not watch {self}."))) }
    }
}
