//! Mailboxes: every thread is in exactly one, which follows from its scope and its sitter.

use super::scope::Scope;
use crate::ids::SitterId;
use crate::text_enum::text_enum;

text_enum! {
    /// The inbox that shows a thread. Derived, never stored: every thread is in exactly one mailbox.
    pub enum Mailbox {
        Owner = "owner",
        /// The mailbox of the assigned sitter.
        Sitter = "sitter",
    }
}

/// Returns the mailbox of a thread: the sitter's if a sitter is assigned and the thread is with a client, else the
/// owner's.
#[must_use]
pub fn mailbox(scope: Scope, assigned_sitter: Option<&SitterId>) -> Mailbox {
    match (scope, assigned_sitter) {
        (Scope::ClientBooking | Scope::ClientGeneral, Some(_)) => Mailbox::Sitter,
        _ => Mailbox::Owner,
    }
}
