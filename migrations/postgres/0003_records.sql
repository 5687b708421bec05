-- What happened: the audit log, the human work queue, received webhooks, answered requests, live updates.

CREATE TABLE event_log (
    id              TEXT PRIMARY KEY,
    org_id          TEXT,
    event_type      TEXT NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('success', 'failed', 'warning', 'info')),
    actor_type      TEXT,
    actor_id        TEXT,
    booking_id      TEXT,
    thread_id       TEXT,
    client_id       TEXT,
    sitter_id       TEXT,
    job_id          TEXT,
    inbox_id        TEXT,
    correlation_id  TEXT,
    metadata        JSONB NOT NULL DEFAULT '{}',            -- ids and facts; never message bodies, clients' numbers or secrets
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX event_log_booking ON event_log (booking_id, event_type) WHERE booking_id IS NOT NULL;
CREATE INDEX event_log_org ON event_log (org_id, created_at) WHERE org_id IS NOT NULL;
CREATE INDEX event_log_correlation ON event_log (correlation_id) WHERE correlation_id IS NOT NULL;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is immutable: its rows are never changed or deleted', TG_TABLE_NAME;
END $$;
CREATE TRIGGER event_log_immutable BEFORE UPDATE OR DELETE ON event_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER event_log_kept BEFORE TRUNCATE ON event_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE exceptions (
    id               TEXT PRIMARY KEY,
    org_id           TEXT,                                  -- null: of the platform
    type             TEXT NOT NULL,
    severity         TEXT NOT NULL CHECK (severity IN ('high', 'medium', 'low')),
    status           TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'in_progress', 'snoozed', 'resolved')),
    fingerprint      TEXT NOT NULL,                         -- the same trouble again raises occurrences, not a second row
    title            TEXT NOT NULL,
    detail           JSONB NOT NULL DEFAULT '{}',
    booking_id       TEXT,
    thread_id        TEXT,
    client_id        TEXT,
    job_id           TEXT,
    inbox_id         TEXT,
    occurrences      BIGINT NOT NULL DEFAULT 1,
    last_seen_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    assigned_to      TEXT,
    snoozed_until    TIMESTAMPTZ,
    resolved_by      TEXT,
    resolved_at      TIMESTAMPTZ,
    resolution_note  TEXT,
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at       TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX exceptions_fingerprint ON exceptions (fingerprint) WHERE status <> 'resolved';
CREATE INDEX exceptions_open ON exceptions (org_id, severity, created_at) WHERE status <> 'resolved';

CREATE TABLE webhook_inbox (
    id             TEXT PRIMARY KEY,
    provider       TEXT NOT NULL CHECK (provider IN ('stripe', 'openphone', 'twilio', 'twilio_status', 'vapi')),
    event_key      TEXT NOT NULL,                           -- the provider's event id, else a hash of the body
    event_type     TEXT,
    verified       BOOLEAN NOT NULL,
    headers        JSONB NOT NULL DEFAULT '{}',             -- without secrets
    payload        TEXT,                                    -- the body as received; emptied after 30 days
    deliveries     BIGINT NOT NULL DEFAULT 1,
    status         TEXT NOT NULL DEFAULT 'received' CHECK (status IN ('received', 'processed', 'ignored', 'failed')),
    job_id         TEXT,
    org_id         TEXT,
    reply_text     TEXT,
    reply_channel  TEXT CHECK (reply_channel IN ('twiml', 'sms')),
    received_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    processed_at   TIMESTAMPTZ,
    created_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (provider, event_key)
);

-- Bodies are emptied first and rows forgotten later: each index holds only what its step looks for.
CREATE INDEX webhook_inbox_with_payload ON webhook_inbox (received_at) WHERE payload IS NOT NULL;
CREATE INDEX webhook_inbox_emptied ON webhook_inbox (received_at) WHERE payload IS NULL;

CREATE TABLE idempotency_keys (
    principal       TEXT NOT NULL,                          -- who sent the request
    method          TEXT NOT NULL,
    path            TEXT NOT NULL,
    key             TEXT NOT NULL,
    request_sha256  TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('in_progress', 'done')),
    status_code     BIGINT,
    response_body   TEXT,
    expires_at      TIMESTAMPTZ NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (principal, method, path, key)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

CREATE TABLE stream_events (
    seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    org_id      TEXT,
    topic       TEXT NOT NULL,
    event       TEXT NOT NULL,
    data        JSONB NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX stream_events_age ON stream_events (created_at);
