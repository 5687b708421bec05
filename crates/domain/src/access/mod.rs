//! How callers prove their identity: passwords and sessions of users, API keys of programs.
//!
//! Secrets are stored only as hashes and compared in constant time. What a caller may do is decided above this crate.

pub mod api_keys;
mod hashing;
pub mod passwords;
pub mod sessions;
pub mod throttle;
