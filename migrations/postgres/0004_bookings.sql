-- Bookings and the record of every change of their status.

CREATE TABLE bookings (
    id                        TEXT PRIMARY KEY,
    org_id                    TEXT NOT NULL REFERENCES organizations (id),
    client_id                 TEXT NOT NULL REFERENCES clients (id),  -- of the same organisation (checked by the program)
    sitter_id                 TEXT REFERENCES sitters (id),
    service                   TEXT NOT NULL,               -- service code, e.g. dog_walking
    start_at                  TIMESTAMPTZ NOT NULL,
    end_at                    TIMESTAMPTZ NOT NULL,
    status                    TEXT NOT NULL DEFAULT 'pending'
                              CHECK (status IN ('pending', 'confirmed', 'in_progress', 'completed', 'cancelled')),
    quantity                  BIGINT NOT NULL DEFAULT 1 CHECK (quantity >= 1),  -- pets, visits
    add_ons                   JSONB NOT NULL DEFAULT '[]',  -- list of codes
    address                   TEXT,
    notes                     TEXT,
    total_minor               BIGINT CHECK (total_minor >= 0),  -- null until priced
    currency                  TEXT,                        -- null until priced
    payment_status            TEXT NOT NULL DEFAULT 'unpaid'
                              CHECK (payment_status IN ('unpaid', 'paid', 'refunded')),
    paid_minor                BIGINT NOT NULL DEFAULT 0,   -- received for this booking, before refunds
    refunded_minor            BIGINT NOT NULL DEFAULT 0,   -- running total given back of it
    stripe_payment_intent_id  TEXT,                        -- the payment that paid it
    confirmed_at              TIMESTAMPTZ,                 -- first confirmation
    cancelled_at              TIMESTAMPTZ,
    version                   BIGINT NOT NULL DEFAULT 1,   -- optimistic lock, +1 per change
    created_at                TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at                TIMESTAMPTZ NOT NULL DEFAULT now(),
    CHECK (start_at < end_at)
);

CREATE INDEX bookings_by_status ON bookings (org_id, status, start_at);
CREATE INDEX bookings_by_sitter ON bookings (sitter_id, start_at);
CREATE INDEX bookings_by_client ON bookings (client_id);
CREATE INDEX bookings_newest ON bookings (org_id, created_at, id);
CREATE UNIQUE INDEX bookings_payment_intent ON bookings (stripe_payment_intent_id)
    WHERE stripe_payment_intent_id IS NOT NULL;

-- Immutable: rows are only ever added, in the transaction that changes the booking.
CREATE TABLE booking_status_history (
    id                  TEXT PRIMARY KEY,
    org_id              TEXT NOT NULL REFERENCES organizations (id),
    booking_id          TEXT NOT NULL REFERENCES bookings (id),
    seq                 BIGINT NOT NULL CHECK (seq >= 1),   -- order within the booking, without gaps
    from_status         TEXT,                        -- null for the creation
    to_status           TEXT NOT NULL,
    changed_by_user_id  TEXT,                        -- null when a webhook, a job, a key or nobody known did it
    actor_type          TEXT NOT NULL CHECK (actor_type IN ('user', 'api_key', 'webhook', 'system')),
    reason              TEXT,
    source_ref          TEXT,                        -- inbox id, job id or request id
    changed_at          TIMESTAMPTZ NOT NULL,
    created_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (booking_id, seq)
);

CREATE TRIGGER booking_status_history_immutable
    BEFORE UPDATE OR DELETE ON booking_status_history
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER booking_status_history_kept
    BEFORE TRUNCATE ON booking_status_history
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
