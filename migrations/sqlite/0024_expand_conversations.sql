-- Conversations in both directions: inbound texts, why each went where it went, who wants no texts, offers to sitters,
-- and how fast texts and offers are answered.

ALTER TABLE message_threads ADD COLUMN done_at TEXT;    -- put away by the owner; an inbound text clears it
-- Unread texts are those that arrived after what was read: a text that arrives while a conversation is read stays unread.
ALTER TABLE message_threads ADD COLUMN arrivals INTEGER NOT NULL DEFAULT 0;     -- inbound texts so far
ALTER TABLE message_threads ADD COLUMN owner_read INTEGER NOT NULL DEFAULT 0;   -- arrivals when the owner read last
ALTER TABLE message_threads ADD COLUMN sitter_read INTEGER NOT NULL DEFAULT 0;  -- arrivals when the sitter read last
ALTER TABLE message_threads ADD COLUMN marked_unread BOOLEAN NOT NULL DEFAULT FALSE;  -- by the owner; reading clears it

ALTER TABLE message_events ADD COLUMN arrival INTEGER;       -- inbound: it is the thread's text of this number, from 1
ALTER TABLE message_events ADD COLUMN provider_at TEXT; -- inbound: when the carrier received the text
ALTER TABLE message_events ADD COLUMN truncated BOOLEAN NOT NULL DEFAULT FALSE;  -- inbound: longer than body may be
-- Whether an inbound text asks in free words for no more texts, and what a person decided about it.
ALTER TABLE message_events ADD COLUMN opt_out_wish TEXT;       -- suggested, accepted or dismissed
ALTER TABLE message_events ADD COLUMN confirms_stop TEXT REFERENCES message_events (id);  -- outbound: the STOP that it confirms
-- Outbound: until when the text may leave during quiet hours. Empty: it may not.
ALTER TABLE message_events ADD COLUMN may_disturb_until TEXT;
ALTER TABLE message_events ADD COLUMN held_until TEXT;        -- outbound: it waits until then, and why
ALTER TABLE message_events ADD COLUMN hold_reason TEXT;        -- quiet_hours or carrier_hours
-- How often the carrier did not take or deliver the text because of the recipient's hours, and how often of these it had
-- accepted the text before. Each acceptance is an effect of its own.
ALTER TABLE message_events ADD COLUMN carrier_holds INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message_events ADD COLUMN given_back INTEGER NOT NULL DEFAULT 0;
-- Texts in the order in which they are shown.
CREATE INDEX message_events_shown ON message_events (thread_id, (COALESCE(provider_at, created_at)), id);
CREATE INDEX message_events_arrived ON message_events (thread_id, routed_to, arrival) WHERE arrival IS NOT NULL;

-- Clients, the newest first.
CREATE INDEX clients_newest ON clients (org_id, created_at, id);

-- The stored reply to an inbound text, whose words are in reply_text.
ALTER TABLE webhook_inbox ADD COLUMN reply_message_id TEXT;
-- Replies of which it is not decided yet whether the answer to the webhook carries them.
CREATE INDEX webhook_inbox_reply_undecided ON webhook_inbox (reply_message_id)
    WHERE reply_message_id IS NOT NULL AND reply_channel IS NULL;

-- Who wants no texts from an organisation, from any of its numbers.
CREATE TABLE opt_outs (
    id                TEXT PRIMARY KEY NOT NULL,
    org_id            TEXT NOT NULL REFERENCES organizations (id),
    phone_digits      TEXT NOT NULL,                 -- the number without +
    since             TEXT NOT NULL,          -- the carrier's time of the text, or when the owner decided
    source            TEXT NOT NULL CHECK (source IN ('keyword', 'owner', 'carrier')),
    message_event_id  TEXT REFERENCES message_events (id),   -- the text that says so
    said_at           TEXT,          -- when the person or the owner last said so; null: only the carrier did
    said_in           TEXT REFERENCES message_events (id),
    refused_at        TEXT,          -- when the latest text began to be sent that the carrier refused
    created_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    UNIQUE (org_id, phone_digits)
);

-- When a person last asked for texts again. A STOP from before that, taken in later, changes nothing.
CREATE TABLE opt_ins (
    org_id        TEXT NOT NULL REFERENCES organizations (id),
    phone_digits  TEXT NOT NULL,
    at            TEXT NOT NULL,              -- the carrier's time of the text
    message_event_id TEXT REFERENCES message_events (id),
    created_at    TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at    TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (org_id, phone_digits)
);

-- Why an inbound text went where it went.
CREATE TABLE routing_traces (
    id                TEXT PRIMARY KEY NOT NULL,
    org_id            TEXT REFERENCES organizations (id),        -- null: the text reached no organisation
    inbox_id          TEXT,
    message_event_id  TEXT REFERENCES message_events (id),
    thread_id         TEXT REFERENCES message_threads (id),
    direction         TEXT NOT NULL DEFAULT 'inbound' CHECK (direction IN ('inbound', 'outbound')),
    outcome           TEXT NOT NULL,
    summary           TEXT NOT NULL,                 -- one sentence: why it was routed here
    steps             TEXT NOT NULL,                -- [{step, checked, result, reason}] in the order of evaluation
    created_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE UNIQUE INDEX routing_traces_message ON routing_traces (message_event_id) WHERE message_event_id IS NOT NULL;
CREATE UNIQUE INDEX routing_traces_inbox ON routing_traces (inbox_id, outcome) WHERE inbox_id IS NOT NULL;
CREATE INDEX routing_traces_thread ON routing_traces (thread_id, id);
CREATE TRIGGER routing_traces_no_update BEFORE UPDATE ON routing_traces
BEGIN
    SELECT RAISE(ABORT, 'routing_traces is immutable');
END;
CREATE TRIGGER routing_traces_no_delete BEFORE DELETE ON routing_traces
BEGIN
    SELECT RAISE(ABORT, 'routing_traces is immutable');
END;
-- INSERT OR REPLACE would delete a row without running the trigger above.
CREATE TRIGGER routing_traces_no_replace BEFORE INSERT ON routing_traces
WHEN EXISTS (SELECT 1 FROM routing_traces WHERE id = NEW.id OR message_event_id = NEW.message_event_id OR inbox_id = NEW.inbox_id)
BEGIN
    SELECT RAISE(ABORT, 'routing_traces is immutable');
END;

-- A client's text and its answer by a sitter or the owner.
CREATE TABLE message_response_links (
    id                          TEXT PRIMARY KEY NOT NULL,
    org_id                      TEXT NOT NULL REFERENCES organizations (id),
    thread_id                   TEXT NOT NULL REFERENCES message_threads (id),
    requires_response_event_id  TEXT NOT NULL UNIQUE REFERENCES message_events (id),
    response_event_id           TEXT REFERENCES message_events (id),
    responder_type              TEXT CHECK (responder_type IN ('sitter', 'owner')),
    sitter_id                   TEXT REFERENCES sitters (id),    -- the window's sitter when the text arrived
    required_at                 TEXT NOT NULL,            -- the carrier's time of the client's text
    response_seconds            INTEGER,
    status                      TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'answered', 'expired')),
    created_at                  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at                  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE UNIQUE INDEX message_response_links_one_open ON message_response_links (thread_id) WHERE status = 'open';
CREATE INDEX message_response_links_open ON message_response_links (required_at) WHERE status = 'open';
CREATE INDEX message_response_links_by_sitter ON message_response_links (sitter_id, required_at)
    WHERE sitter_id IS NOT NULL;

-- A booking that a sitter may accept or decline.
CREATE TABLE offer_events (
    id                TEXT PRIMARY KEY NOT NULL,
    org_id            TEXT NOT NULL REFERENCES organizations (id),
    sitter_id         TEXT NOT NULL REFERENCES sitters (id),
    booking_id        TEXT NOT NULL REFERENCES bookings (id),
    code              INTEGER NOT NULL CHECK (code > 0),          -- what the sitter answers with: YES 2
    status            TEXT NOT NULL DEFAULT 'pending'
                      CHECK (status IN ('pending', 'accepted', 'declined', 'expired', 'superseded', 'withdrawn')),
    offered_at        TEXT NOT NULL,
    expires_at        TEXT NOT NULL,
    accepted_at       TEXT,
    declined_at       TEXT,
    ended_at          TEXT,                   -- when it stopped being pending, however it did
    decline_reason    TEXT,
    answered_via      TEXT CHECK (answered_via IN ('sms', 'web', 'api')),
    response_seconds  INTEGER,
    created_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE UNIQUE INDEX offer_events_one_pending ON offer_events (booking_id, sitter_id) WHERE status = 'pending';
CREATE UNIQUE INDEX offer_events_code ON offer_events (sitter_id, code) WHERE status = 'pending';
CREATE UNIQUE INDEX offer_events_one_accepted ON offer_events (booking_id) WHERE status = 'accepted';
CREATE INDEX offer_events_by_sitter ON offer_events (sitter_id, offered_at);
CREATE INDEX offer_events_by_booking ON offer_events (booking_id, offered_at);
CREATE INDEX offer_events_newest ON offer_events (org_id, created_at, id);

-- What a sitter's answers amount to over the days up to a date.
CREATE TABLE sitter_metrics_windows (
    id                          TEXT PRIMARY KEY NOT NULL,
    org_id                      TEXT NOT NULL REFERENCES organizations (id),
    sitter_id                   TEXT NOT NULL REFERENCES sitters (id),
    window_days                 INTEGER NOT NULL CHECK (window_days IN (7, 28)),
    window_end_date             TEXT NOT NULL,       -- the organisation's local date
    avg_response_seconds        INTEGER,
    median_response_seconds     INTEGER,
    p90_response_seconds        INTEGER,
    response_rate               REAL,    -- null: nothing required a response
    responses_required          INTEGER NOT NULL,
    responses_given             INTEGER NOT NULL,
    offer_accept_rate           REAL,    -- null: no offer was answered or expired
    offer_decline_rate          REAL,
    offer_expire_rate           REAL,
    avg_offer_response_seconds  INTEGER,
    offers_received             INTEGER NOT NULL,
    computed_at                 TEXT NOT NULL,
    created_at                  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at                  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    UNIQUE (sitter_id, window_days, window_end_date)
);

CREATE TABLE sitter_tier_history (
    id           TEXT PRIMARY KEY NOT NULL,
    org_id       TEXT NOT NULL REFERENCES organizations (id),
    sitter_id    TEXT NOT NULL REFERENCES sitters (id),
    from_tier    TEXT NOT NULL,
    to_tier      TEXT NOT NULL,
    metrics      TEXT NOT NULL,                     -- what the tier was computed from
    reason       TEXT NOT NULL,
    computed_at  TEXT NOT NULL,
    created_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE INDEX sitter_tier_history_by_sitter ON sitter_tier_history (sitter_id, computed_at);
CREATE TRIGGER sitter_tier_history_no_update BEFORE UPDATE ON sitter_tier_history
BEGIN
    SELECT RAISE(ABORT, 'sitter_tier_history is immutable');
END;
CREATE TRIGGER sitter_tier_history_no_delete BEFORE DELETE ON sitter_tier_history
BEGIN
    SELECT RAISE(ABORT, 'sitter_tier_history is immutable');
END;
-- INSERT OR REPLACE would delete a row without running the trigger above.
CREATE TRIGGER sitter_tier_history_no_replace BEFORE INSERT ON sitter_tier_history
WHEN EXISTS (SELECT 1 FROM sitter_tier_history WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'sitter_tier_history is immutable');
END;
