-- Conversations in both directions: inbound texts, why each went where it went, who wants no texts, offers to sitters,
-- and how fast texts and offers are answered.

ALTER TABLE message_threads ADD COLUMN done_at TIMESTAMPTZ;    -- put away by the owner; an inbound text clears it
-- Unread texts are those that arrived after what was read: a text that arrives while a conversation is read stays unread.
ALTER TABLE message_threads ADD COLUMN arrivals BIGINT NOT NULL DEFAULT 0;     -- inbound texts so far
ALTER TABLE message_threads ADD COLUMN owner_read BIGINT NOT NULL DEFAULT 0;   -- arrivals when the owner read last
ALTER TABLE message_threads ADD COLUMN sitter_read BIGINT NOT NULL DEFAULT 0;  -- arrivals when the sitter read last
ALTER TABLE message_threads ADD COLUMN marked_unread BOOLEAN NOT NULL DEFAULT FALSE;  -- by the owner; reading clears it

ALTER TABLE message_events ADD COLUMN arrival BIGINT;       -- inbound: it is the thread's text of this number, from 1
ALTER TABLE message_events ADD COLUMN provider_at TIMESTAMPTZ; -- inbound: when the carrier received the text
ALTER TABLE message_events ADD COLUMN truncated BOOLEAN NOT NULL DEFAULT FALSE;  -- inbound: longer than body may be
-- Whether an inbound text asks in free words for no more texts, and what a person decided about it.
ALTER TABLE message_events ADD COLUMN opt_out_wish TEXT;       -- suggested, accepted or dismissed
ALTER TABLE message_events ADD COLUMN confirms_stop TEXT REFERENCES message_events (id);  -- outbound: the STOP that it confirms
-- Outbound: until when the text may leave during quiet hours. Empty: it may not.
ALTER TABLE message_events ADD COLUMN may_disturb_until TIMESTAMPTZ;
ALTER TABLE message_events ADD COLUMN held_until TIMESTAMPTZ;        -- outbound: it waits until then, and why
ALTER TABLE message_events ADD COLUMN hold_reason TEXT;        -- quiet_hours or carrier_hours
-- How often the carrier did not take or deliver the text because of the recipient's hours, and how often of these it had
-- accepted the text before. Each acceptance is an effect of its own.
ALTER TABLE message_events ADD COLUMN carrier_holds BIGINT NOT NULL DEFAULT 0;
ALTER TABLE message_events ADD COLUMN given_back BIGINT NOT NULL DEFAULT 0;
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
    id                TEXT PRIMARY KEY,
    org_id            TEXT NOT NULL REFERENCES organizations (id),
    phone_digits      TEXT NOT NULL,                 -- the number without +
    since             TIMESTAMPTZ NOT NULL,          -- the carrier's time of the text, or when the owner decided
    source            TEXT NOT NULL CHECK (source IN ('keyword', 'owner', 'carrier')),
    message_event_id  TEXT REFERENCES message_events (id),   -- the text that says so
    said_at           TIMESTAMPTZ,          -- when the person or the owner last said so; null: only the carrier did
    said_in           TEXT REFERENCES message_events (id),
    refused_at        TIMESTAMPTZ,          -- when the latest text began to be sent that the carrier refused
    created_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (org_id, phone_digits)
);

-- When a person last asked for texts again. A STOP from before that, taken in later, changes nothing.
CREATE TABLE opt_ins (
    org_id        TEXT NOT NULL REFERENCES organizations (id),
    phone_digits  TEXT NOT NULL,
    at            TIMESTAMPTZ NOT NULL,              -- the carrier's time of the text
    message_event_id TEXT REFERENCES message_events (id),
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, phone_digits)
);

-- Why an inbound text went where it went.
CREATE TABLE routing_traces (
    id                TEXT PRIMARY KEY,
    org_id            TEXT REFERENCES organizations (id),        -- null: the text reached no organisation
    inbox_id          TEXT,
    message_event_id  TEXT REFERENCES message_events (id),
    thread_id         TEXT REFERENCES message_threads (id),
    direction         TEXT NOT NULL DEFAULT 'inbound' CHECK (direction IN ('inbound', 'outbound')),
    outcome           TEXT NOT NULL,
    summary           TEXT NOT NULL,                 -- one sentence: why it was routed here
    steps             JSONB NOT NULL,                -- [{step, checked, result, reason}] in the order of evaluation
    created_at        TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX routing_traces_message ON routing_traces (message_event_id) WHERE message_event_id IS NOT NULL;
CREATE UNIQUE INDEX routing_traces_inbox ON routing_traces (inbox_id, outcome) WHERE inbox_id IS NOT NULL;
CREATE INDEX routing_traces_thread ON routing_traces (thread_id, id);
CREATE TRIGGER routing_traces_immutable BEFORE UPDATE OR DELETE ON routing_traces
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER routing_traces_kept BEFORE TRUNCATE ON routing_traces
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A client's text and its answer by a sitter or the owner.
CREATE TABLE message_response_links (
    id                          TEXT PRIMARY KEY,
    org_id                      TEXT NOT NULL REFERENCES organizations (id),
    thread_id                   TEXT NOT NULL REFERENCES message_threads (id),
    requires_response_event_id  TEXT NOT NULL UNIQUE REFERENCES message_events (id),
    response_event_id           TEXT REFERENCES message_events (id),
    responder_type              TEXT CHECK (responder_type IN ('sitter', 'owner')),
    sitter_id                   TEXT REFERENCES sitters (id),    -- the window's sitter when the text arrived
    required_at                 TIMESTAMPTZ NOT NULL,            -- the carrier's time of the client's text
    response_seconds            BIGINT,
    status                      TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'answered', 'expired')),
    created_at                  TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at                  TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX message_response_links_one_open ON message_response_links (thread_id) WHERE status = 'open';
CREATE INDEX message_response_links_open ON message_response_links (required_at) WHERE status = 'open';
CREATE INDEX message_response_links_by_sitter ON message_response_links (sitter_id, required_at)
    WHERE sitter_id IS NOT NULL;

-- A booking that a sitter may accept or decline.
CREATE TABLE offer_events (
    id                TEXT PRIMARY KEY,
    org_id            TEXT NOT NULL REFERENCES organizations (id),
    sitter_id         TEXT NOT NULL REFERENCES sitters (id),
    booking_id        TEXT NOT NULL REFERENCES bookings (id),
    code              BIGINT NOT NULL CHECK (code > 0),          -- what the sitter answers with: YES 2
    status            TEXT NOT NULL DEFAULT 'pending'
                      CHECK (status IN ('pending', 'accepted', 'declined', 'expired', 'superseded', 'withdrawn')),
    offered_at        TIMESTAMPTZ NOT NULL,
    expires_at        TIMESTAMPTZ NOT NULL,
    accepted_at       TIMESTAMPTZ,
    declined_at       TIMESTAMPTZ,
    ended_at          TIMESTAMPTZ,                   -- when it stopped being pending, however it did
    decline_reason    TEXT,
    answered_via      TEXT CHECK (answered_via IN ('sms', 'web', 'api')),
    response_seconds  BIGINT,
    created_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at        TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX offer_events_one_pending ON offer_events (booking_id, sitter_id) WHERE status = 'pending';
CREATE UNIQUE INDEX offer_events_code ON offer_events (sitter_id, code) WHERE status = 'pending';
CREATE UNIQUE INDEX offer_events_one_accepted ON offer_events (booking_id) WHERE status = 'accepted';
CREATE INDEX offer_events_by_sitter ON offer_events (sitter_id, offered_at);
CREATE INDEX offer_events_by_booking ON offer_events (booking_id, offered_at);
CREATE INDEX offer_events_newest ON offer_events (org_id, created_at, id);

-- What a sitter's answers amount to over the days up to a date.
CREATE TABLE sitter_metrics_windows (
    id                          TEXT PRIMARY KEY,
    org_id                      TEXT NOT NULL REFERENCES organizations (id),
    sitter_id                   TEXT NOT NULL REFERENCES sitters (id),
    window_days                 BIGINT NOT NULL CHECK (window_days IN (7, 28)),
    window_end_date             TEXT NOT NULL,       -- the organisation's local date
    avg_response_seconds        BIGINT,
    median_response_seconds     BIGINT,
    p90_response_seconds        BIGINT,
    response_rate               DOUBLE PRECISION,    -- null: nothing required a response
    responses_required          BIGINT NOT NULL,
    responses_given             BIGINT NOT NULL,
    offer_accept_rate           DOUBLE PRECISION,    -- null: no offer was answered or expired
    offer_decline_rate          DOUBLE PRECISION,
    offer_expire_rate           DOUBLE PRECISION,
    avg_offer_response_seconds  BIGINT,
    offers_received             BIGINT NOT NULL,
    computed_at                 TIMESTAMPTZ NOT NULL,
    created_at                  TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at                  TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (sitter_id, window_days, window_end_date)
);

CREATE TABLE sitter_tier_history (
    id           TEXT PRIMARY KEY,
    org_id       TEXT NOT NULL REFERENCES organizations (id),
    sitter_id    TEXT NOT NULL REFERENCES sitters (id),
    from_tier    TEXT NOT NULL,
    to_tier      TEXT NOT NULL,
    metrics      JSONB NOT NULL,                     -- what the tier was computed from
    reason       TEXT NOT NULL,
    computed_at  TIMESTAMPTZ NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX sitter_tier_history_by_sitter ON sitter_tier_history (sitter_id, computed_at);
CREATE TRIGGER sitter_tier_history_immutable BEFORE UPDATE OR DELETE ON sitter_tier_history
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER sitter_tier_history_kept BEFORE TRUNCATE ON sitter_tier_history
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
