//! Conversations through masking numbers.
//!
//! A client and a sitter never see each other's numbers: each conversation is a thread, and its texts are sent from the
//! masking number of the thread. This module holds the rules: who may write when, from which number, what a text may
//! contain, how its delivery proceeds. The caller sends the requests and enqueues the jobs.

pub(crate) mod beginning;
pub mod change;
pub mod choice;
pub mod delivery;
pub mod disturbance;
pub mod handover;
pub mod inbound;
pub mod inbox;
mod mailbox;
pub mod masking;
pub mod message;
pub mod messages;
pub mod numbers;
pub mod opt_outs;
pub mod post;
pub mod routing;
mod scope;
pub mod threads;
mod unread;
pub mod windows;
