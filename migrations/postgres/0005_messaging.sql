-- Conversations through masking numbers: the numbers, the threads they carry, the texts in them, and the windows in
-- which a sitter may write.

CREATE TABLE message_numbers (
    id                  TEXT PRIMARY KEY,
    org_id              TEXT NOT NULL REFERENCES organizations (id),
    e164                TEXT NOT NULL UNIQUE,
    number_class        TEXT NOT NULL CHECK (number_class IN ('pool', 'sitter', 'front_desk')),
    assigned_sitter_id  TEXT REFERENCES sitters (id),
    status              TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'quarantined')),
    provider            TEXT NOT NULL DEFAULT 'mock' CHECK (provider IN ('twilio', 'openphone', 'mock')),
    position            BIGINT NOT NULL DEFAULT 0,   -- order in lists
    next_send_at        TIMESTAMPTZ,                 -- earliest moment the number may send its next text (one a second)
    created_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    CHECK ((number_class = 'sitter') = (assigned_sitter_id IS NOT NULL))
);

CREATE INDEX message_numbers_by_org ON message_numbers (org_id, position, id);
CREATE UNIQUE INDEX message_numbers_one_per_sitter ON message_numbers (assigned_sitter_id)
    WHERE assigned_sitter_id IS NOT NULL AND status = 'active';
CREATE UNIQUE INDEX message_numbers_one_front_desk ON message_numbers (org_id)
    WHERE number_class = 'front_desk' AND status = 'active';

CREATE TABLE message_threads (
    id                  TEXT PRIMARY KEY,
    org_id              TEXT NOT NULL REFERENCES organizations (id),
    scope               TEXT NOT NULL CHECK (scope IN ('client_booking', 'client_general', 'owner_sitter', 'internal')),
    booking_id          TEXT REFERENCES bookings (id),
    client_id           TEXT REFERENCES clients (id),
    assigned_sitter_id  TEXT REFERENCES sitters (id),
    message_number_id   TEXT REFERENCES message_numbers (id),
    masked_number_e164  TEXT,                        -- copy of the number's e164
    number_class        TEXT,                        -- copy of the number's class
    status              TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
    last_message_at     TIMESTAMPTZ,
    last_inbound_at     TIMESTAMPTZ,
    owner_unread        BIGINT NOT NULL DEFAULT 0,
    sitter_unread       BIGINT NOT NULL DEFAULT 0,
    created_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at          TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE UNIQUE INDEX message_threads_one_per_booking ON message_threads (booking_id) WHERE scope = 'client_booking';
CREATE UNIQUE INDEX message_threads_one_general ON message_threads (org_id, client_id, message_number_id)
    WHERE scope = 'client_general' AND status = 'open';
CREATE UNIQUE INDEX message_threads_one_per_sitter ON message_threads (org_id, assigned_sitter_id)
    WHERE scope = 'owner_sitter';
CREATE INDEX message_threads_newest ON message_threads (org_id, (COALESCE(last_message_at, created_at)), id);
CREATE INDEX message_threads_by_client ON message_threads (client_id);
CREATE INDEX message_threads_by_number ON message_threads (message_number_id);
CREATE INDEX message_threads_by_sitter ON message_threads (assigned_sitter_id);

-- One text. Body, direction, actor and thread never change; only the delivery columns do.
CREATE TABLE message_events (
    id                    TEXT PRIMARY KEY,
    org_id                TEXT NOT NULL REFERENCES organizations (id),
    thread_id             TEXT NOT NULL REFERENCES message_threads (id),
    direction             TEXT NOT NULL CHECK (direction IN ('inbound', 'outbound')),
    actor_type            TEXT NOT NULL CHECK (actor_type IN ('client', 'sitter', 'owner', 'automation', 'system')),
    actor_id              TEXT,                      -- user, sitter or client
    body                  TEXT NOT NULL CHECK (length(body) <= 1600),
    media                 JSONB NOT NULL DEFAULT '[]',  -- list of URLs
    provider_message_sid  TEXT,
    from_number_id        TEXT REFERENCES message_numbers (id),  -- outbound: the thread's number when it was written
    status                TEXT NOT NULL CHECK (status IN ('received', 'queued', 'sending', 'sent', 'delivered',
                                                          'undelivered', 'failed', 'unconfirmed')),
    error_code            TEXT,
    automation_run_id     TEXT,                      -- the ledger row that asked for it
    client_ref            TEXT,                      -- the caller's own reference; makes a repeated post harmless
    routed_to             TEXT CHECK (routed_to IN ('owner', 'sitter', 'none')),  -- inbound only
    send_slot_at          TIMESTAMPTZ,               -- the moment its sending number's rate lets it leave
    send_started_at       TIMESTAMPTZ,               -- the provider was about to be asked; latest attempt
    resends               BIGINT NOT NULL DEFAULT 0,  -- times it was sent again because nobody knew what became of it
    sent_at               TIMESTAMPTZ,
    delivered_at          TIMESTAMPTZ,
    created_at            TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at            TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE INDEX message_events_by_thread ON message_events (thread_id, created_at, id);
CREATE UNIQUE INDEX message_events_sid ON message_events (provider_message_sid)
    WHERE provider_message_sid IS NOT NULL;
CREATE UNIQUE INDEX message_events_one_per_run ON message_events (automation_run_id)
    WHERE automation_run_id IS NOT NULL;
CREATE UNIQUE INDEX message_events_client_ref ON message_events (thread_id, client_ref) WHERE client_ref IS NOT NULL;

-- The time span in which the sitter of a booking may write to its client. Active means starts_at <= now < ends_at and
-- not cancelled; the status is computed, never stored.
CREATE TABLE assignment_windows (
    id            TEXT PRIMARY KEY,
    org_id        TEXT NOT NULL REFERENCES organizations (id),
    booking_id    TEXT NOT NULL UNIQUE REFERENCES bookings (id),
    thread_id     TEXT REFERENCES message_threads (id),
    sitter_id     TEXT REFERENCES sitters (id),
    starts_at     TIMESTAMPTZ NOT NULL,              -- = booking.start_at
    ends_at       TIMESTAMPTZ NOT NULL,              -- = booking.end_at + grace
    cancelled_at  TIMESTAMPTZ,                       -- the booking was cancelled
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    CHECK (starts_at < ends_at)
);

CREATE INDEX assignment_windows_by_org ON assignment_windows (org_id, starts_at, id);
CREATE INDEX assignment_windows_by_sitter ON assignment_windows (sitter_id, ends_at);
CREATE INDEX assignment_windows_by_thread ON assignment_windows (thread_id);
