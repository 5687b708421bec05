-- Who there is: organisations, the people who sign in, keys of programs, sitters, clients.

CREATE TABLE organizations (
    id          TEXT PRIMARY KEY NOT NULL,
    name        TEXT NOT NULL,
    slug        TEXT NOT NULL UNIQUE,
    timezone    TEXT NOT NULL DEFAULT 'America/New_York',   -- IANA name
    currency    TEXT NOT NULL DEFAULT 'USD',
    settings    TEXT NOT NULL DEFAULT '{}',                -- quiet hours and the like
    is_default  BOOLEAN NOT NULL DEFAULT FALSE,             -- requests without an organisation belong to this one
    created_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE UNIQUE INDEX organizations_one_default ON organizations (is_default) WHERE is_default;

-- Owns what belongs to the platform itself; it has no owners.
INSERT INTO organizations (id, name, slug, timezone) VALUES ('platform', 'Platform', 'platform', 'UTC');

CREATE TABLE sitters (
    id                TEXT PRIMARY KEY NOT NULL,
    org_id            TEXT NOT NULL REFERENCES organizations (id),
    name              TEXT NOT NULL,
    phone_number      TEXT NOT NULL,
    active            BOOLEAN NOT NULL DEFAULT TRUE,
    tier              TEXT NOT NULL DEFAULT 'unrated'
                      CHECK (tier IN ('bronze', 'silver', 'gold', 'platinum', 'unrated')),
    tier_computed_at  TEXT,
    created_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    UNIQUE (org_id, phone_number)
);

CREATE TABLE users (
    id             TEXT PRIMARY KEY NOT NULL,
    org_id         TEXT REFERENCES organizations (id),
    email          TEXT NOT NULL UNIQUE CHECK (email = lower(email)),
    name           TEXT NOT NULL,
    role           TEXT NOT NULL CHECK (role IN ('owner', 'sitter', 'ops')),
    password_hash  TEXT,                                    -- PHC string; null until an invited user sets one
    sitter_id      TEXT UNIQUE REFERENCES sitters (id),
    active         BOOLEAN NOT NULL DEFAULT TRUE,
    last_login_at  TEXT,
    created_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    CHECK ((role = 'ops') = (org_id IS NULL)),
    CHECK ((role = 'sitter') = (sitter_id IS NOT NULL))
);

CREATE TABLE sessions (
    id          TEXT PRIMARY KEY NOT NULL,
    user_id     TEXT NOT NULL REFERENCES users (id),
    expires_at  TEXT NOT NULL,
    revoked_at  TEXT,
    ip          TEXT,
    user_agent  TEXT,
    created_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Failed sign-ins of the last quarter of an hour, to slow down guessing.
CREATE TABLE login_failures (
    id          TEXT PRIMARY KEY NOT NULL,
    account     TEXT NOT NULL,                              -- SHA-256 of the address typed in
    ip          TEXT NOT NULL,
    created_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE INDEX login_failures_account ON login_failures (account, created_at);
CREATE INDEX login_failures_ip ON login_failures (ip, created_at);

CREATE TABLE api_keys (
    id             TEXT PRIMARY KEY NOT NULL,
    org_id         TEXT REFERENCES organizations (id),      -- null: a key of ops
    key_id         TEXT NOT NULL UNIQUE,
    secret_sha256  TEXT NOT NULL,
    name           TEXT NOT NULL,
    scopes         TEXT NOT NULL,
    last_used_at   TEXT,
    revoked_at     TEXT,
    created_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

CREATE TABLE clients (
    id                  TEXT PRIMARY KEY NOT NULL,
    org_id              TEXT REFERENCES organizations (id), -- null: a business in onboarding, a client of the platform
    first_name          TEXT,
    last_name           TEXT,
    email               TEXT,
    business_name       TEXT,
    region              TEXT,
    phone_number        TEXT NOT NULL,                      -- with or without +
    payment_active      BOOLEAN NOT NULL DEFAULT FALSE,
    twilio_number       TEXT,
    owned_org_id        TEXT REFERENCES organizations (id),
    stripe_customer_id  TEXT,
    opted_out_at        TEXT,                        -- STOP received
    created_at          TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at          TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
-- A number with and without + is one contact.
CREATE UNIQUE INDEX clients_phone ON clients (org_id, (replace(phone_number, '+', ''))) WHERE org_id IS NOT NULL;
CREATE UNIQUE INDEX clients_platform_phone ON clients ((replace(phone_number, '+', ''))) WHERE org_id IS NULL;
CREATE UNIQUE INDEX clients_twilio_number ON clients (twilio_number) WHERE twilio_number IS NOT NULL;
CREATE UNIQUE INDEX clients_stripe_customer ON clients (stripe_customer_id) WHERE stripe_customer_id IS NOT NULL;
