//! How fast sitters and owners answer, and the tiers that follow.

pub mod response_links;
