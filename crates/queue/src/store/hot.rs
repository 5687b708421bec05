//! The connections of a worker's own statements, apart from those of the handlers.

use nightshift_db::Db;

/// Connections that only the queue's own statements use, so handlers can't use them up.
const HOT_CONNECTIONS: u32 = 3;
/// The queue's statements are written for its indexes and probe them row by row; a planner misled by the statistics of a
/// table that was empty a minute ago must not scan it, nor walk the index of millions of finished jobs to merge it with
/// the few that it claims. One plan serves all parameters: planning a claim anew takes a fifth of its time.
const HOT_SETTINGS: &[(&str, &str)] = &[
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_mergejoin", "off"),
    ("enable_hashjoin", "off"),
    ("jit", "off"),
    ("plan_cache_mode", "force_generic_plan"),
];

/// For everything that claims, finishes and rescues.
pub(crate) fn connections(db: &Db) -> Db {
    db.sibling(HOT_CONNECTIONS, HOT_SETTINGS)
}

/// One that belongs to the calling runtime, for a thread of its own.
pub(crate) fn one_connection(db: &Db) -> Db {
    db.sibling(1, HOT_SETTINGS)
}
