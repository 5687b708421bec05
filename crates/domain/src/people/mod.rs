//! Who there is: organisations, their clients, and those who sign in.

pub mod clients;
pub mod doubtful;
pub mod organizations;
pub mod users;
