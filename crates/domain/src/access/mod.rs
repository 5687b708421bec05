//! How callers prove who they are: passwords and sessions of people, keys of programs.
//!
//! Secrets are stored as hashes alone and compared in constant time. What a caller may then do is decided in one place
//! above this crate.

pub mod api_keys;
mod hashing;
pub mod passwords;
pub mod sessions;
pub mod throttle;
