//! The navigation: the entries and the landing page of each role. Every new page for users needs an entry here.

use nightshift_domain::people::users::Role;

/// A link in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web::pages) struct Entry {
    pub(in crate::web::pages) path: &'static str,
    pub(in crate::web::pages) name: &'static str,
}

/// The navigation of a role.
struct Menu {
    /// The page to which `/` and a sign-in redirect.
    landing: &'static str,
    entries: &'static [Entry],
}

const EXCEPTIONS: Entry = Entry { path: "/exceptions", name: "Exceptions" };

const OWNER: Menu = Menu { landing: "/exceptions", entries: &[EXCEPTIONS] };
const OPS: Menu = Menu { landing: "/exceptions", entries: &[EXCEPTIONS] };
/// Sitters have no page yet.
const SITTER: Menu = Menu { landing: "/login", entries: &[] };

const fn menu(role: Role) -> &'static Menu {
    match role {
        Role::Owner => &OWNER,
        Role::Ops => &OPS,
        Role::Sitter => &SITTER,
    }
}

/// Returns the entries of a role's navigation, in their order.
pub(super) fn entries(role: Role) -> &'static [Entry] {
    menu(role).entries
}

/// Returns the landing page of a role.
pub(in crate::web::pages) fn landing(role: Role) -> &'static str {
    menu(role).landing
}
