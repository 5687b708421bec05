-- Prices: versioned rules, what each booking was priced with, and the nightly check of one against the other.

-- Immutable: a new price is a new version.
CREATE TABLE pricing_rules (
    id                    TEXT PRIMARY KEY,
    org_id                TEXT NOT NULL REFERENCES organizations (id),
    service               TEXT NOT NULL,
    version               BIGINT NOT NULL CHECK (version >= 1),
    effective_from        TIMESTAMPTZ NOT NULL,        -- a version ends where the next one starts
    base_minor            BIGINT NOT NULL CHECK (base_minor >= 0),  -- per unit
    unit_minutes          BIGINT NOT NULL CHECK (unit_minutes > 0),
    min_units             BIGINT NOT NULL DEFAULT 1 CHECK (min_units >= 1),
    extra_quantity_minor  BIGINT NOT NULL DEFAULT 0 CHECK (extra_quantity_minor >= 0),  -- per unit and quantity above 1
    weekend_percent       BIGINT NOT NULL DEFAULT 0 CHECK (weekend_percent >= 0),
    holiday_percent       BIGINT NOT NULL DEFAULT 0 CHECK (holiday_percent >= 0),
    holidays              JSONB NOT NULL DEFAULT '[]', -- local dates
    add_ons               JSONB NOT NULL DEFAULT '{}', -- code to minor units
    tax_percent_bp        BIGINT NOT NULL DEFAULT 0 CHECK (tax_percent_bp >= 0),  -- basis points
    currency              TEXT NOT NULL,
    created_at            TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (org_id, service, version)
);

-- Immutable: what a booking was priced with, and what came out.
CREATE TABLE pricing_snapshots (
    id           TEXT PRIMARY KEY,
    org_id       TEXT NOT NULL REFERENCES organizations (id),
    booking_id   TEXT NOT NULL REFERENCES bookings (id),
    rule_id      TEXT NOT NULL REFERENCES pricing_rules (id),
    inputs       JSONB NOT NULL,
    lines        JSONB NOT NULL,
    total_minor  BIGINT NOT NULL,
    currency     TEXT NOT NULL,
    priced_at    TIMESTAMPTZ NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX pricing_snapshots_by_booking ON pricing_snapshots (booking_id, priced_at);

ALTER TABLE bookings ADD COLUMN discount_minor BIGINT NOT NULL DEFAULT 0 CHECK (discount_minor >= 0);
ALTER TABLE bookings ADD COLUMN pricing_snapshot_id TEXT REFERENCES pricing_snapshots (id);  -- the price in force
CREATE INDEX bookings_by_org ON bookings (org_id, id);

CREATE TABLE reconciliation_runs (
    id                   TEXT PRIMARY KEY,
    org_id               TEXT NOT NULL REFERENCES organizations (id),
    local_date           TEXT NOT NULL,                -- YYYY-MM-DD in the organisation's zone
    trigger_kind         TEXT NOT NULL CHECK (trigger_kind IN ('scheduled', 'manual')),
    attempt_no           BIGINT NOT NULL DEFAULT 0,    -- 0 for scheduled, 1 and up for manual
    status               TEXT NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'completed', 'failed')),
    missed               BOOLEAN NOT NULL DEFAULT FALSE,  -- fired late, because no scheduler ran when it was due
    cutoff_at            TIMESTAMPTZ NOT NULL,         -- bookings changed later are left to the next run
    cursor_booking_id    TEXT,                         -- last finished booking
    job_id               TEXT,                         -- the job that carries it on
    checked              BIGINT NOT NULL DEFAULT 0,
    skipped_no_snapshot  BIGINT NOT NULL DEFAULT 0,
    not_computable       BIGINT NOT NULL DEFAULT 0,
    drifted              BIGINT NOT NULL DEFAULT 0,
    high                 BIGINT NOT NULL DEFAULT 0,
    medium               BIGINT NOT NULL DEFAULT 0,
    low                  BIGINT NOT NULL DEFAULT 0,
    error                TEXT,
    started_at           TIMESTAMPTZ NOT NULL,
    finished_at          TIMESTAMPTZ,
    created_at           TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at           TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (org_id, local_date, trigger_kind, attempt_no)
);
CREATE INDEX reconciliation_runs_newest ON reconciliation_runs (org_id, created_at, id);
CREATE INDEX reconciliation_runs_running ON reconciliation_runs (org_id) WHERE status = 'running';

-- Immutable: what one run found.
CREATE TABLE pricing_drifts (
    id                TEXT PRIMARY KEY,
    org_id            TEXT NOT NULL REFERENCES organizations (id),
    run_id            TEXT NOT NULL REFERENCES reconciliation_runs (id),
    booking_id        TEXT NOT NULL REFERENCES bookings (id),
    stored_minor      BIGINT NOT NULL,
    recomputed_minor  BIGINT NOT NULL,
    drift_minor       BIGINT NOT NULL,                 -- stored - recomputed
    drift_percent     DOUBLE PRECISION NOT NULL,
    severity          TEXT NOT NULL CHECK (severity IN ('high', 'medium', 'low')),
    cause             TEXT NOT NULL CHECK (cause IN ('inputs_changed', 'total_mismatch', 'calculation_mismatch')),
    detail            JSONB NOT NULL DEFAULT '{}',
    created_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (run_id, booking_id)
);
CREATE INDEX pricing_drifts_by_booking ON pricing_drifts (booking_id);

ALTER TABLE exceptions ADD COLUMN drift_id TEXT;
CREATE INDEX exceptions_of_bookings ON exceptions (booking_id, type)
    WHERE status <> 'resolved' AND booking_id IS NOT NULL;
CREATE INDEX exceptions_snoozed ON exceptions (snoozed_until) WHERE status = 'snoozed';

CREATE TRIGGER pricing_rules_immutable BEFORE UPDATE OR DELETE ON pricing_rules
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER pricing_snapshots_immutable BEFORE UPDATE OR DELETE ON pricing_snapshots
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER pricing_drifts_immutable BEFORE UPDATE OR DELETE ON pricing_drifts
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER pricing_rules_kept BEFORE TRUNCATE ON pricing_rules
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER pricing_snapshots_kept BEFORE TRUNCATE ON pricing_snapshots
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER pricing_drifts_kept BEFORE TRUNCATE ON pricing_drifts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A transaction that puts a row in here cannot write bookings or prices until it takes the row out again; nobody else
-- ever sees the row. The reconciliation works behind it.
CREATE TABLE price_shield (raised BOOLEAN NOT NULL);

CREATE FUNCTION refuse_behind_shield() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM price_shield) THEN
        RAISE EXCEPTION '% is read-only in this transaction: it only compares prices', TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER bookings_shielded BEFORE INSERT OR UPDATE OR DELETE ON bookings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_behind_shield();
CREATE TRIGGER pricing_snapshots_shielded BEFORE INSERT OR UPDATE OR DELETE ON pricing_snapshots
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_behind_shield();
CREATE TRIGGER pricing_rules_shielded BEFORE INSERT OR UPDATE OR DELETE ON pricing_rules
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_behind_shield();
