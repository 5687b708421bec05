//! What a route allows. The one place where authorisation is decided.

use nightshift_domain::access::api_keys::Scope;
use nightshift_domain::people::users::Role;

use super::caller::Caller;
use super::principal::Principal;
use crate::web::error::{ApiError, Result};

/// Who may use a route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Access {
    /// Owners.
    pub owner: bool,
    /// Sitters, who see what concerns them ([`Viewer`](nightshift_domain::viewer::Viewer)).
    pub sitter: bool,
    /// Operators of the platform.
    pub ops: bool,
    /// Keys with one of these scopes.
    pub keys: &'static [Scope],
    /// Holders of a request's link, who see that request alone.
    pub links: bool,
    /// Whoever comes.
    pub anybody: bool,
}

impl Access {
    /// Whoever comes.
    pub const ANYBODY: Self = Self { anybody: true, ..Self::NOBODY };
    /// Everybody who is known, keys of whatever scope included.
    pub const KNOWN: Self =
        Self { owner: true, sitter: true, ops: true, keys: Scope::ALL, links: false, anybody: false };
    /// Nobody, to build others from.
    pub const NOBODY: Self = Self { owner: false, sitter: false, ops: false, keys: &[], links: false, anybody: false };
    /// Owners.
    pub const OWNER: Self = Self { owner: true, ..Self::NOBODY };
    /// Sitters.
    pub const SITTER: Self = Self { sitter: true, ..Self::NOBODY };

    /// As well as sitters.
    #[must_use]
    pub const fn and_sitter(self) -> Self {
        Self { sitter: true, ..self }
    }

    /// As well as ops.
    #[must_use]
    pub const fn and_ops(self) -> Self {
        Self { ops: true, ..self }
    }

    /// As well as holders of a request's link.
    #[must_use]
    pub const fn and_links(self) -> Self {
        Self { links: true, ..self }
    }

    /// As well as keys with one of these scopes.
    #[must_use]
    pub const fn and_keys(self, keys: &'static [Scope]) -> Self {
        Self { keys, ..self }
    }

    /// The people who may use it, in words: `owners and operators`.
    #[must_use]
    pub fn people(self) -> String {
        let people = [(self.owner, "owners"), (self.sitter, "sitters"), (self.ops, "operators")];
        let mut named: Vec<&str> = people.into_iter().filter_map(|(may, name)| may.then_some(name)).collect();
        match named.pop() {
            Some(last) if !named.is_empty() => format!("{} and {last}", named.join(", ")),
            Some(only) => only.to_owned(),
            None => "nobody".to_owned(),
        }
    }

    /// The caller that `principal` is on this route.
    ///
    /// # Errors
    /// 401 for nobody; 403 `role` or `scope` for somebody who may not.
    pub fn admit(self, principal: Principal) -> Result<Caller> {
        let allowed = match &principal {
            _ if self.anybody => true,
            Principal::Local { .. } => true,
            Principal::User { user, .. } => match user.role {
                Role::Owner => self.owner,
                Role::Sitter => self.sitter,
                Role::Ops => self.ops,
            },
            Principal::Key(key) => self.keys.iter().any(|scope| key.scopes.contains(scope)),
            Principal::Link(_) if self.links => true,
            // A token of some request is no credential anywhere else.
            Principal::Link(_) | Principal::Nobody => {
                return Err(ApiError::unauthorized("unauthorized", "Sign in, or send an API key."));
            }
        };
        if allowed {
            return Ok(Caller(principal));
        }
        Err(match principal {
            Principal::Key(_) => {
                let needed: Vec<_> = self.keys.iter().map(|scope| scope.as_str()).collect();
                let message = if needed.is_empty() {
                    "API keys can't be used here.".to_owned()
                } else {
                    format!("The API key needs the scope {}.", needed.join(" or "))
                };
                ApiError::forbidden("scope", message)
            }
            _ => ApiError::forbidden("role", "Your role may not do this."),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightshift_domain::access::api_keys::Verified;
    use nightshift_domain::people::users::User;

    fn user(role: Role) -> Principal {
        let user = User { id: "u".into(), name: "U".to_owned(), role, org_id: Some("o".into()), sitter_id: None };
        Principal::User { user, session: "s".into() }
    }

    fn key(scopes: &[Scope]) -> Principal {
        Principal::Key(Verified { id: "k".into(), org_id: Some("o".into()), scopes: scopes.iter().copied().collect() })
    }

    fn verdict(access: Access, principal: Principal) -> u16 {
        access.admit(principal).map_or_else(|error| error.status.as_u16(), |_| 200)
    }

    #[test]
    fn each_kind_of_caller_needs_its_own_permission() {
        let access = Access::OWNER.and_keys(&[Scope::BookingsRead]);
        assert_eq!(verdict(access, user(Role::Owner)), 200);
        assert_eq!(verdict(access, user(Role::Sitter)), 403);
        assert_eq!(verdict(access, user(Role::Ops)), 403);
        assert_eq!(verdict(access, key(&[Scope::BookingsRead, Scope::JobsAdmin])), 200);
        assert_eq!(verdict(access, key(&[Scope::JobsAdmin])), 403);
        assert_eq!(verdict(access, Principal::Nobody), 401);
        assert_eq!(verdict(access, Principal::Local { org: None }), 200);
        assert_eq!(verdict(access.and_sitter().and_ops(), user(Role::Sitter)), 200);
        assert_eq!(verdict(access.and_sitter().and_ops(), user(Role::Ops)), 200);
        assert_eq!(verdict(Access::SITTER, user(Role::Owner)), 403);
        assert_eq!(verdict(Access::ANYBODY, Principal::Nobody), 200);
        assert_eq!(verdict(Access::KNOWN, Principal::Nobody), 401);
    }
}
