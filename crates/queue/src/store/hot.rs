//! Database connections for the queue's own statements, separate from those of the handlers.

use nightshift_db::Db;

/// Number of connections for these statements. Handlers can't exhaust them, because they use others.
const HOT_CONNECTIONS: u32 = 3;
/// The planner settings of these connections. The queue's statements are written for its indexes, which they probe row
/// by row. Statistics of a table that was empty a minute ago must not make the planner scan the table, or merge the few
/// claimed jobs with an index of millions of finished ones. One generic plan serves all parameters, because planning
/// takes a fifth of a claim's time.
const HOT_SETTINGS: &[(&str, &str)] = &[
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_mergejoin", "off"),
    ("enable_hashjoin", "off"),
    ("jit", "off"),
    ("plan_cache_mode", "force_generic_plan"),
];

/// Opens the connections for claims, finishes and the rescue.
pub(crate) fn connections(db: &Db) -> Db {
    db.sibling(HOT_CONNECTIONS, HOT_SETTINGS)
}

/// Opens a single connection for the calling runtime, for a thread of its own.
pub(crate) fn one_connection(db: &Db) -> Db {
    db.sibling(1, HOT_SETTINGS)
}
