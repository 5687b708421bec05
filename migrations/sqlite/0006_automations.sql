-- Templated messages and the ledger of every time one was due.

CREATE TABLE automations (
    id             TEXT PRIMARY KEY NOT NULL,
    org_id         TEXT NOT NULL REFERENCES organizations (id),
    type           TEXT NOT NULL CHECK (type IN ('bookingConfirmation', 'bookingReminder', 'bookingCancelled',
                                                 'bookingRescheduled', 'sitterAssignment', 'offerNotification',
                                                 'providerBookingConfirmed')),
    recipient      TEXT NOT NULL CHECK (recipient IN ('client', 'sitter', 'requester')),
    enabled        BOOLEAN NOT NULL DEFAULT TRUE,
    template       TEXT NOT NULL,                    -- text with {variables}
    delay_minutes  INTEGER NOT NULL DEFAULT 0 CHECK (delay_minutes >= 0),
    quiet_hours    BOOLEAN NOT NULL DEFAULT TRUE,    -- waits for the end of the organisation's quiet hours
    created_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    UNIQUE (org_id, type)
);

CREATE TABLE automation_runs (
    id                TEXT PRIMARY KEY NOT NULL,
    org_id            TEXT NOT NULL REFERENCES organizations (id),
    type              TEXT NOT NULL,
    recipient         TEXT NOT NULL CHECK (recipient IN ('client', 'sitter', 'requester')),
    trigger_ref       TEXT NOT NULL,                 -- the fact it answers, e.g. booking:{id}:confirmed
    booking_id        TEXT REFERENCES bookings (id),
    thread_id         TEXT REFERENCES message_threads (id),
    client_id         TEXT REFERENCES clients (id),
    sitter_id         TEXT REFERENCES sitters (id),
    status            TEXT NOT NULL DEFAULT 'pending'
                      CHECK (status IN ('pending', 'success', 'failed', 'skipped', 'blocked')),
    from_number_id    TEXT REFERENCES message_numbers (id),  -- equals the thread's number
    message_event_id  TEXT REFERENCES message_events (id),
    used_thread       BOOLEAN NOT NULL DEFAULT FALSE,
    body              TEXT,                          -- as rendered
    error             TEXT,                          -- why it was skipped, is blocked or failed
    metadata          TEXT NOT NULL DEFAULT '{}',
    scheduled_for     TEXT,                   -- not before
    executed_at       TEXT,
    created_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    UNIQUE (type, recipient, trigger_ref)
);

CREATE INDEX automation_runs_newest ON automation_runs (org_id, created_at, id);
CREATE INDEX automation_runs_by_booking ON automation_runs (booking_id);
CREATE INDEX automation_runs_blocked ON automation_runs (thread_id) WHERE status = 'blocked';
