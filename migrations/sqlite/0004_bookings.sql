-- Bookings and the record of every change of their status.

CREATE TABLE bookings (
    id                        TEXT PRIMARY KEY NOT NULL,
    org_id                    TEXT NOT NULL REFERENCES organizations (id),
    client_id                 TEXT NOT NULL REFERENCES clients (id),  -- of the same organisation (checked by the program)
    sitter_id                 TEXT REFERENCES sitters (id),
    service                   TEXT NOT NULL,               -- service code, e.g. dog_walking
    start_at                  TEXT NOT NULL,
    end_at                    TEXT NOT NULL,
    status                    TEXT NOT NULL DEFAULT 'pending'
                              CHECK (status IN ('pending', 'confirmed', 'in_progress', 'completed', 'cancelled')),
    quantity                  INTEGER NOT NULL DEFAULT 1 CHECK (quantity >= 1),  -- pets, visits
    add_ons                   TEXT NOT NULL DEFAULT '[]',  -- list of codes
    address                   TEXT,
    notes                     TEXT,
    total_minor               INTEGER CHECK (total_minor >= 0),  -- null until priced
    currency                  TEXT,                        -- null until priced
    payment_status            TEXT NOT NULL DEFAULT 'unpaid'
                              CHECK (payment_status IN ('unpaid', 'paid', 'refunded')),
    paid_minor                INTEGER NOT NULL DEFAULT 0,   -- received for this booking, before refunds
    refunded_minor            INTEGER NOT NULL DEFAULT 0,   -- running total given back of it
    stripe_payment_intent_id  TEXT,                        -- the payment that paid it
    confirmed_at              TEXT,                 -- first confirmation
    cancelled_at              TEXT,
    version                   INTEGER NOT NULL DEFAULT 1,   -- optimistic lock, +1 per change
    created_at                TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at                TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
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
    id                  TEXT PRIMARY KEY NOT NULL,
    org_id              TEXT NOT NULL REFERENCES organizations (id),
    booking_id          TEXT NOT NULL REFERENCES bookings (id),
    seq                 INTEGER NOT NULL CHECK (seq >= 1),   -- order within the booking, without gaps
    from_status         TEXT,                        -- null for the creation
    to_status           TEXT NOT NULL,
    changed_by_user_id  TEXT,                        -- null when a webhook, a job, a key or nobody known did it
    actor_type          TEXT NOT NULL CHECK (actor_type IN ('user', 'api_key', 'webhook', 'system')),
    reason              TEXT,
    source_ref          TEXT,                        -- inbox id, job id or request id
    changed_at          TEXT NOT NULL,
    created_at          TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    UNIQUE (booking_id, seq)
);

CREATE TRIGGER booking_status_history_no_update BEFORE UPDATE ON booking_status_history
BEGIN
    SELECT RAISE(ABORT, 'booking_status_history is immutable');
END;

CREATE TRIGGER booking_status_history_no_delete BEFORE DELETE ON booking_status_history
BEGIN
    SELECT RAISE(ABORT, 'booking_status_history is immutable');
END;

-- INSERT OR REPLACE would delete a standing row without firing the trigger above.
CREATE TRIGGER booking_status_history_no_replace BEFORE INSERT ON booking_status_history
WHEN EXISTS (SELECT 1 FROM booking_status_history
             WHERE id = NEW.id OR (booking_id = NEW.booking_id AND seq = NEW.seq))
BEGIN
    SELECT RAISE(ABORT, 'booking_status_history is immutable');
END;
