//! What only measures and plays; nothing that the product needs to do its work.
//!
//! [`simulator`] stands in for the outside services, in tests and in the commands that bring their own.
//!
//! **Invariant:** only the program's command line and tests use this crate.

pub mod simulator;
