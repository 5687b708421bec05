//! Conversations through masking numbers.
//!
//! A client and a sitter never see each other's numbers: each conversation is a thread, and its texts go out from the
//! masking number the thread was given. Rules live here (who may write when, which number, what a text may be, how its
//! delivery goes forward); sending itself and routing jobs are the caller's.

pub mod choice;
pub mod delivery;
pub mod inbox;
pub mod masking;
pub mod message;
pub mod messages;
pub mod numbers;
pub mod post;
mod scope;
pub mod threads;
pub mod windows;
