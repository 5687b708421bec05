//! Texts on their way out.

pub mod confirm_delivery;
pub mod send;
