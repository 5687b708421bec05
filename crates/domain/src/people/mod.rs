//! Organisations, their clients, and the users who sign in.

pub mod clients;
pub mod doubtful;
pub mod organizations;
pub mod users;
