//! The leases of claimed jobs: those that this process holds, their renewal, and the rescue of jobs whose lease has
//! expired.

pub(crate) mod renewal;
pub(crate) mod rescue;
pub(crate) mod table;
