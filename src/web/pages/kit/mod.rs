//! The kit: what every page is made of.
//!
//! A page is one handler file and one template. The handler takes a [`Shell`] (who looks, in which zone, the token of its
//! forms), a [`Query`], a [`PageForm`] or what is [`Asked`] of a list, and answers with [`page`], [`page_or_block`] or
//! [`List::answer`]. The template extends
//! `shell.html` and takes its parts from the macros of `parts.html`. Nothing in here knows a single page.

mod choices;
mod error_page;
mod form;
#[cfg(test)]
mod hostile;
mod list;
mod money;
mod nav;
mod query;
mod render;
mod shell;
mod time;

pub(super) use self::choices::{Choice, choices};
pub(super) use self::error_page::refusal;
pub(in crate::web) use self::error_page::{layer as errors, unrouted, unrouted_layer as unrouted_errors};
pub(super) use self::form::{PageForm, Typed};
pub(super) use self::list::{Asked, Filters, List, count};
pub(super) use self::money::money;
pub(super) use self::nav::landing;
pub(super) use self::query::Query;
pub(super) use self::render::*;
pub(super) use self::shell::Shell;
pub(in crate::web) use self::shell::guard;
