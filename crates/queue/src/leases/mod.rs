//! The leases of claimed jobs: which of them this process holds, their renewal, and the rescue of jobs whose lease ran
//! out.

pub(crate) mod held;
pub(crate) mod keeper;
pub(crate) mod rescue;
