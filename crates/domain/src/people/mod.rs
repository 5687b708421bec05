//! Organisations, their clients and sitters, and the users who sign in.

pub mod client_list;
pub mod clients;
pub mod dashboard;
pub mod doubtful;
pub mod organizations;
pub mod sitters;
pub mod users;
