-- Prices: versioned rules, what each booking was priced with, and the nightly check of one against the other.

-- Immutable: a new price is a new version.
CREATE TABLE pricing_rules (
    id                    TEXT PRIMARY KEY NOT NULL,
    org_id                TEXT NOT NULL REFERENCES organizations (id),
    service               TEXT NOT NULL,
    version               INTEGER NOT NULL CHECK (version >= 1),
    effective_from        TEXT NOT NULL,        -- a version ends where the next one starts
    base_minor            INTEGER NOT NULL CHECK (base_minor >= 0),  -- per unit
    unit_minutes          INTEGER NOT NULL CHECK (unit_minutes > 0),
    min_units             INTEGER NOT NULL DEFAULT 1 CHECK (min_units >= 1),
    extra_quantity_minor  INTEGER NOT NULL DEFAULT 0 CHECK (extra_quantity_minor >= 0),  -- per unit and quantity above 1
    weekend_percent       INTEGER NOT NULL DEFAULT 0 CHECK (weekend_percent >= 0),
    holiday_percent       INTEGER NOT NULL DEFAULT 0 CHECK (holiday_percent >= 0),
    holidays              TEXT NOT NULL DEFAULT '[]', -- local dates
    add_ons               TEXT NOT NULL DEFAULT '{}', -- code to minor units
    tax_percent_bp        INTEGER NOT NULL DEFAULT 0 CHECK (tax_percent_bp >= 0),  -- basis points
    currency              TEXT NOT NULL,
    created_at            TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    UNIQUE (org_id, service, version)
);

-- Immutable: what a booking was priced with, and what came out.
CREATE TABLE pricing_snapshots (
    id           TEXT PRIMARY KEY NOT NULL,
    org_id       TEXT NOT NULL REFERENCES organizations (id),
    booking_id   TEXT NOT NULL REFERENCES bookings (id),
    rule_id      TEXT NOT NULL REFERENCES pricing_rules (id),
    inputs       TEXT NOT NULL,
    lines        TEXT NOT NULL,
    total_minor  INTEGER NOT NULL,
    currency     TEXT NOT NULL,
    priced_at    TEXT NOT NULL,
    created_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE INDEX pricing_snapshots_by_booking ON pricing_snapshots (booking_id, priced_at);

ALTER TABLE bookings ADD COLUMN discount_minor INTEGER NOT NULL DEFAULT 0 CHECK (discount_minor >= 0);
ALTER TABLE bookings ADD COLUMN pricing_snapshot_id TEXT REFERENCES pricing_snapshots (id);  -- the price in force
CREATE INDEX bookings_by_org ON bookings (org_id, id);

CREATE TABLE reconciliation_runs (
    id                   TEXT PRIMARY KEY NOT NULL,
    org_id               TEXT NOT NULL REFERENCES organizations (id),
    local_date           TEXT NOT NULL,                -- YYYY-MM-DD in the organisation's zone
    trigger_kind         TEXT NOT NULL CHECK (trigger_kind IN ('scheduled', 'manual')),
    attempt_no           INTEGER NOT NULL DEFAULT 0,    -- 0 for scheduled, 1 and up for manual
    status               TEXT NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'completed', 'failed')),
    missed               BOOLEAN NOT NULL DEFAULT FALSE,  -- fired late, because no scheduler ran when it was due
    cutoff_at            TEXT NOT NULL,         -- bookings changed later are left to the next run
    cursor_booking_id    TEXT,                         -- last finished booking
    job_id               TEXT,                         -- the job that carries it on
    checked              INTEGER NOT NULL DEFAULT 0,
    skipped_no_snapshot  INTEGER NOT NULL DEFAULT 0,
    not_computable       INTEGER NOT NULL DEFAULT 0,
    drifted              INTEGER NOT NULL DEFAULT 0,
    high                 INTEGER NOT NULL DEFAULT 0,
    medium               INTEGER NOT NULL DEFAULT 0,
    low                  INTEGER NOT NULL DEFAULT 0,
    error                TEXT,
    started_at           TEXT NOT NULL,
    finished_at          TEXT,
    created_at           TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at           TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    UNIQUE (org_id, local_date, trigger_kind, attempt_no)
);
CREATE INDEX reconciliation_runs_newest ON reconciliation_runs (org_id, created_at, id);
CREATE INDEX reconciliation_runs_running ON reconciliation_runs (org_id) WHERE status = 'running';

-- Immutable: what one run found.
CREATE TABLE pricing_drifts (
    id                TEXT PRIMARY KEY NOT NULL,
    org_id            TEXT NOT NULL REFERENCES organizations (id),
    run_id            TEXT NOT NULL REFERENCES reconciliation_runs (id),
    booking_id        TEXT NOT NULL REFERENCES bookings (id),
    stored_minor      INTEGER NOT NULL,
    recomputed_minor  INTEGER NOT NULL,
    drift_minor       INTEGER NOT NULL,                 -- stored - recomputed
    drift_percent     REAL NOT NULL,
    severity          TEXT NOT NULL CHECK (severity IN ('high', 'medium', 'low')),
    cause             TEXT NOT NULL CHECK (cause IN ('inputs_changed', 'total_mismatch', 'calculation_mismatch')),
    detail            TEXT NOT NULL DEFAULT '{}',
    created_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    UNIQUE (run_id, booking_id)
);
CREATE INDEX pricing_drifts_by_booking ON pricing_drifts (booking_id);

ALTER TABLE exceptions ADD COLUMN drift_id TEXT;
CREATE INDEX exceptions_of_bookings ON exceptions (booking_id, type)
    WHERE status <> 'resolved' AND booking_id IS NOT NULL;
CREATE INDEX exceptions_snoozed ON exceptions (snoozed_until) WHERE status = 'snoozed';

CREATE TRIGGER pricing_rules_no_update BEFORE UPDATE ON pricing_rules
BEGIN SELECT RAISE(ABORT, 'pricing_rules is immutable: its rows are never changed or deleted'); END;
CREATE TRIGGER pricing_rules_no_delete BEFORE DELETE ON pricing_rules
BEGIN SELECT RAISE(ABORT, 'pricing_rules is immutable: its rows are never changed or deleted'); END;
CREATE TRIGGER pricing_snapshots_no_update BEFORE UPDATE ON pricing_snapshots
BEGIN SELECT RAISE(ABORT, 'pricing_snapshots is immutable: its rows are never changed or deleted'); END;
CREATE TRIGGER pricing_snapshots_no_delete BEFORE DELETE ON pricing_snapshots
BEGIN SELECT RAISE(ABORT, 'pricing_snapshots is immutable: its rows are never changed or deleted'); END;
CREATE TRIGGER pricing_drifts_no_update BEFORE UPDATE ON pricing_drifts
BEGIN SELECT RAISE(ABORT, 'pricing_drifts is immutable: its rows are never changed or deleted'); END;
CREATE TRIGGER pricing_drifts_no_delete BEFORE DELETE ON pricing_drifts
BEGIN SELECT RAISE(ABORT, 'pricing_drifts is immutable: its rows are never changed or deleted'); END;

-- A transaction that puts a row in here cannot write bookings or prices until it takes the row out again; nobody else
-- ever sees the row. The reconciliation works behind it.
CREATE TABLE price_shield (raised BOOLEAN NOT NULL);

CREATE TRIGGER bookings_shielded_insert BEFORE INSERT ON bookings WHEN EXISTS (SELECT 1 FROM price_shield)
BEGIN SELECT RAISE(ABORT, 'bookings is read-only in this transaction: it only compares prices'); END;
CREATE TRIGGER bookings_shielded_update BEFORE UPDATE ON bookings WHEN EXISTS (SELECT 1 FROM price_shield)
BEGIN SELECT RAISE(ABORT, 'bookings is read-only in this transaction: it only compares prices'); END;
CREATE TRIGGER bookings_shielded_delete BEFORE DELETE ON bookings WHEN EXISTS (SELECT 1 FROM price_shield)
BEGIN SELECT RAISE(ABORT, 'bookings is read-only in this transaction: it only compares prices'); END;
CREATE TRIGGER pricing_snapshots_shielded_insert BEFORE INSERT ON pricing_snapshots WHEN EXISTS (SELECT 1 FROM price_shield)
BEGIN SELECT RAISE(ABORT, 'pricing_snapshots is read-only in this transaction: it only compares prices'); END;
CREATE TRIGGER pricing_snapshots_shielded_update BEFORE UPDATE ON pricing_snapshots WHEN EXISTS (SELECT 1 FROM price_shield)
BEGIN SELECT RAISE(ABORT, 'pricing_snapshots is read-only in this transaction: it only compares prices'); END;
CREATE TRIGGER pricing_snapshots_shielded_delete BEFORE DELETE ON pricing_snapshots WHEN EXISTS (SELECT 1 FROM price_shield)
BEGIN SELECT RAISE(ABORT, 'pricing_snapshots is read-only in this transaction: it only compares prices'); END;
CREATE TRIGGER pricing_rules_shielded_insert BEFORE INSERT ON pricing_rules WHEN EXISTS (SELECT 1 FROM price_shield)
BEGIN SELECT RAISE(ABORT, 'pricing_rules is read-only in this transaction: it only compares prices'); END;
CREATE TRIGGER pricing_rules_shielded_update BEFORE UPDATE ON pricing_rules WHEN EXISTS (SELECT 1 FROM price_shield)
BEGIN SELECT RAISE(ABORT, 'pricing_rules is read-only in this transaction: it only compares prices'); END;
CREATE TRIGGER pricing_rules_shielded_delete BEFORE DELETE ON pricing_rules WHEN EXISTS (SELECT 1 FROM price_shield)
BEGIN SELECT RAISE(ABORT, 'pricing_rules is read-only in this transaction: it only compares prices'); END;
