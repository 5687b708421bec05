-- What happens by the clock.

-- The program writes its schedules here when a scheduler starts; people switch them on and off.
CREATE TABLE schedules (
    name           TEXT PRIMARY KEY NOT NULL,
    cron           TEXT NOT NULL,                       -- second minute hour day month weekday
    timezone_mode  TEXT NOT NULL CHECK (timezone_mode IN ('utc', 'org')),
    overlap        TEXT NOT NULL CHECK (overlap IN ('skip', 'queue')),  -- when the last occurrence's job is unfinished
    job_kind       TEXT NOT NULL,
    enabled        BOOLEAN NOT NULL DEFAULT TRUE,
    active_since   TEXT NOT NULL,               -- occurrences before it were never due
    created_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

-- The row is what fires an occurrence: whoever comes second finds it taken.
CREATE TABLE schedule_slots (
    schedule    TEXT NOT NULL,
    scope       TEXT NOT NULL,                          -- an organisation's id, or empty
    local_slot  TEXT NOT NULL,                          -- YYYY-MM-DDTHH:MM:SS in the scope's zone
    due_at      TEXT NOT NULL,
    fired_at    TEXT NOT NULL,
    missed      BOOLEAN NOT NULL,                       -- fired late, because no scheduler ran when it was due
    outcome     TEXT NOT NULL CHECK (outcome IN ('fired', 'skipped')),  -- skipped: the one before was unfinished
    job_id      TEXT,
    created_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (schedule, scope, local_slot)
);
CREATE INDEX schedule_slots_fired ON schedule_slots (fired_at);
