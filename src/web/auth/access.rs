//! Which callers may use a route. Authorisation is decided here and nowhere else.

use nightshift_domain::access::api_keys::Scope;
use nightshift_domain::people::users::Role;

use super::caller::Caller;
use super::principal::Principal;
use crate::web::error::{ApiError, Result};

/// The kinds of callers that may use a route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Access {
    pub owner: bool,
    /// Sitters, who read only the rows that concern them ([`Viewer`](nightshift_domain::viewer::Viewer)).
    pub sitter: bool,
    /// Operators of the platform.
    pub ops: bool,
    /// API keys with at least one of these scopes.
    pub keys: &'static [Scope],
    /// Holders of a request's link. They see only that request.
    pub links: bool,
    /// Every caller, also without credentials.
    pub anybody: bool,
}

impl Access {
    /// Every caller, also without credentials.
    pub const ANYBODY: Self = Self { anybody: true, ..Self::NOBODY };
    /// Every user and every API key, whatever its scopes.
    pub const KNOWN: Self =
        Self { owner: true, sitter: true, ops: true, keys: Scope::ALL, links: false, anybody: false };
    /// No caller. Other values are built from it.
    pub const NOBODY: Self = Self { owner: false, sitter: false, ops: false, keys: &[], links: false, anybody: false };
    pub const OWNER: Self = Self { owner: true, ..Self::NOBODY };
    pub const SITTER: Self = Self { sitter: true, ..Self::NOBODY };

    /// Also allows sitters.
    #[must_use]
    pub const fn and_sitter(self) -> Self {
        Self { sitter: true, ..self }
    }

    /// Also allows operators of the platform.
    #[must_use]
    pub const fn and_ops(self) -> Self {
        Self { ops: true, ..self }
    }

    /// Also allows holders of a request's link.
    #[must_use]
    pub const fn and_links(self) -> Self {
        Self { links: true, ..self }
    }

    /// Also allows API keys with at least one of these scopes. Replaces the scopes given before.
    #[must_use]
    pub const fn and_keys(self, keys: &'static [Scope]) -> Self {
        Self { keys, ..self }
    }

    /// Returns the allowed roles in words, such as `owners and operators`.
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

    /// Returns the caller for `principal` if it may use the route.
    ///
    /// # Errors
    /// Returns 401 if the request has no credentials that count here, and 403 `role` or `scope` if the principal may
    /// not use the route.
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
            // The token of a request's link is a credential only on routes that accept links.
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
