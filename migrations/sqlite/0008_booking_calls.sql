-- Requests for an appointment elsewhere, the providers that may give one, and the calls that ask them for it.

CREATE TABLE service_requests (
    id                      TEXT PRIMARY KEY NOT NULL,
    org_id                  TEXT NOT NULL REFERENCES organizations (id),
    title                   TEXT NOT NULL,
    user_phone              TEXT,                    -- who asks; gets the text when it is booked
    contact_name            TEXT,
    location                TEXT,
    status                  TEXT NOT NULL
                            CHECK (status IN ('PENDING', 'SEARCHING', 'CALLING', 'ANALYZING', 'RECOMMENDED', 'BOOKING',
                                              'COMPLETED', 'FAILED', 'CANCELLED')),
    selected_provider_id    TEXT,                    -- who gave the appointment
    final_outcome           TEXT,                    -- one sentence
    active_booking_call_id  TEXT,                    -- set while BOOKING
    version                 INTEGER NOT NULL DEFAULT 1,
    created_at              TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at              TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE INDEX service_requests_newest ON service_requests (org_id, created_at, id);

CREATE TABLE providers (
    id                     TEXT PRIMARY KEY NOT NULL,
    service_request_id     TEXT NOT NULL REFERENCES service_requests (id),
    name                   TEXT NOT NULL,
    phone                  TEXT NOT NULL,
    rating                 TEXT,
    rank                   TEXT,
    recommendation         TEXT,
    earliest_availability  TEXT,
    booking_confirmed      BOOLEAN NOT NULL DEFAULT FALSE,
    booking_date           TEXT,                     -- in the words of the call
    booking_time           TEXT,
    confirmation_number    TEXT,
    last_call_at           TEXT,
    call_transcript        TEXT,
    created_at             TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at             TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    UNIQUE (service_request_id, name, phone)
);

CREATE TABLE booking_calls (
    id                  TEXT PRIMARY KEY NOT NULL,
    org_id              TEXT NOT NULL REFERENCES organizations (id),
    service_request_id  TEXT NOT NULL REFERENCES service_requests (id),
    provider_id         TEXT NOT NULL REFERENCES providers (id),
    execution_id        TEXT NOT NULL UNIQUE,        -- what callers know it by
    mode                TEXT NOT NULL CHECK (mode IN ('simulated', 'test', 'production')),  -- fixed when the call starts
    original_phone      TEXT NOT NULL,               -- the provider's
    phone_to_call       TEXT NOT NULL,               -- whom the mode lets it reach
    request_body        TEXT NOT NULL,              -- as validated
    status              TEXT NOT NULL
                        CHECK (status IN ('accepted', 'starting', 'in_progress', 'confirmed', 'not_confirmed', 'failed',
                                          'timeout', 'cancelled')),
    vapi_call_id        TEXT,
    start_attempted_at  TEXT,                 -- the request for the call was about to leave
    started_at          TEXT,                 -- it was taken
    ended_at            TEXT,
    next_poll_at        TEXT,
    poll_count          INTEGER NOT NULL DEFAULT 0,   -- looks until the end; while it goes on the polling job counts
    result              TEXT,
    transcript          TEXT,
    failure_reason      TEXT,
    sms_event_id        TEXT,                        -- the automation run that tells the person
    created_at          TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at          TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE UNIQUE INDEX booking_calls_one_active ON booking_calls (service_request_id)
    WHERE status IN ('accepted', 'starting', 'in_progress');
CREATE UNIQUE INDEX booking_calls_vapi ON booking_calls (vapi_call_id) WHERE vapi_call_id IS NOT NULL;
CREATE INDEX booking_calls_by_request ON booking_calls (service_request_id, created_at, id);
