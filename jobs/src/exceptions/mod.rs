//! What people are shown because it needs them.

pub mod wake;
