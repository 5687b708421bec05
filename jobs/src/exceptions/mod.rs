//! Exceptions: the operators' work queue.

pub mod wake;
