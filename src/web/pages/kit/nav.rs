//! The navigation: which entries each role sees, and where it lands. A page adds a row here when it exists.

use nightshift_domain::people::users::Role;

/// A link in the bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web::pages) struct Entry {
    pub(in crate::web::pages) path: &'static str,
    pub(in crate::web::pages) name: &'static str,
}

/// What the bar shows to a role.
struct Menu {
    /// Where `/` and the sign-in lead.
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

/// The entries of a role's navigation, in their order.
pub(super) fn entries(role: Role) -> &'static [Entry] {
    menu(role).entries
}

/// The first page of a role.
pub(in crate::web::pages) fn landing(role: Role) -> &'static str {
    menu(role).landing
}
