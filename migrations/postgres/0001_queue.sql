-- The durable queue: jobs and what is remembered of them. The columns' meaning is the same on both engines.

CREATE TABLE jobs (
    id                TEXT PRIMARY KEY,            -- UUIDv7: sorts by creation
    queue             TEXT NOT NULL,               -- the pool that runs it
    kind              TEXT NOT NULL,               -- which handler
    org_id            TEXT,                        -- organisation it belongs to, if any
    payload           JSONB NOT NULL,
    payload_version   BIGINT NOT NULL DEFAULT 1,   -- older versions are upcast in code
    state             TEXT NOT NULL DEFAULT 'queued'
                      CHECK (state IN ('queued', 'running', 'retrying', 'succeeded', 'dead', 'cancelled')),
    priority          BIGINT NOT NULL DEFAULT 5 CHECK (priority BETWEEN 0 AND 9),  -- 0 first
    run_at            TIMESTAMPTZ NOT NULL,        -- not before
    waiting           BOOLEAN NOT NULL DEFAULT FALSE,  -- run_at lay ahead when last written; cleared when it is due
    parked_reason     TEXT,                        -- the payload could not be read; not claimed until a new version or ops release it
    dedup_key         TEXT,                        -- unique while the job is unfinished
    once_key          TEXT,                        -- unique for ever
    group_key         TEXT,                        -- at most one job of a group runs at a time, oldest first
    group_strict      BOOLEAN NOT NULL DEFAULT FALSE,  -- an unfinished older job holds back younger ones even while it waits
    attempts          BIGINT NOT NULL DEFAULT 0,   -- ended attempts that count
    max_attempts      BIGINT NOT NULL DEFAULT 1,
    crashes           BIGINT NOT NULL DEFAULT 0,   -- leases lost; the third ends the job
    polls             BIGINT NOT NULL DEFAULT 0,   -- times the handler asked to be called again
    poll_deadline     TIMESTAMPTZ,                 -- a poll that is not done by then is a failure
    cancel_requested  BOOLEAN NOT NULL DEFAULT FALSE,
    worker_id         TEXT,                        -- process that holds it
    lease_id          TEXT,                        -- new for every claim; fences every finish
    leased_until      TIMESTAMPTZ,
    last_error        TEXT,
    last_error_class  TEXT CHECK (last_error_class IN ('transient', 'permanent', 'timeout', 'panic', 'lease_lost')),
    result            JSONB,
    mode              TEXT CHECK (mode IN ('simulated', 'test', 'live')),  -- of its outside effects, stamped once
    correlation_id    TEXT,
    parent_job_id     TEXT,                        -- the job that caused it
    traceparent       TEXT,                        -- W3C trace context
    created_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    started_at        TIMESTAMPTZ,                 -- of the latest attempt
    finished_at       TIMESTAMPTZ,
    duration_ms       BIGINT                       -- of the latest attempt
);

-- Claims: due jobs only, in the order in which they are taken. A finished, running or future job is in none of the first two.
CREATE INDEX jobs_ready ON jobs (queue, priority, run_at, id)
    WHERE state IN ('queued', 'retrying') AND NOT waiting;
CREATE INDEX jobs_waiting ON jobs (run_at)
    WHERE state IN ('queued', 'retrying') AND waiting AND parked_reason IS NULL;
CREATE INDEX jobs_parked ON jobs (kind) WHERE parked_reason IS NOT NULL;
CREATE INDEX jobs_leased ON jobs (leased_until) WHERE state = 'running';
CREATE INDEX jobs_running ON jobs (queue) WHERE state = 'running';
CREATE INDEX jobs_dead ON jobs (finished_at) WHERE state = 'dead';

CREATE UNIQUE INDEX jobs_dedup ON jobs (dedup_key)
    WHERE dedup_key IS NOT NULL AND state IN ('queued', 'running', 'retrying');
CREATE UNIQUE INDEX jobs_once ON jobs (once_key) WHERE once_key IS NOT NULL;
CREATE INDEX jobs_group ON jobs (group_key, id)
    WHERE group_key IS NOT NULL AND state IN ('queued', 'running', 'retrying');
-- Whatever a claim overlooks: two running jobs of one group cannot be stored.
CREATE UNIQUE INDEX jobs_group_runs_one ON jobs (group_key) WHERE group_key IS NOT NULL AND state = 'running';

CREATE INDEX jobs_correlation ON jobs (correlation_id) WHERE correlation_id IS NOT NULL;
CREATE INDEX jobs_parent ON jobs (parent_job_id) WHERE parent_job_id IS NOT NULL;

-- Attempts that did not end in success; the last, successful one stands on the job itself.
CREATE TABLE job_attempts (
    job_id      TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    attempt     BIGINT NOT NULL,
    worker_id   TEXT,
    started_at  TIMESTAMPTZ NOT NULL,
    ended_at    TIMESTAMPTZ NOT NULL,
    outcome     TEXT NOT NULL CHECK (outcome IN ('transient', 'permanent', 'timeout', 'panic', 'lease_lost', 'cancelled')),
    error       TEXT,
    log         TEXT,                              -- last 4 KiB
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, attempt, started_at)
);

-- Steps of a multi-step job that are done, written in the transaction of the step.
CREATE TABLE job_steps (
    job_id       TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    step         TEXT NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('done', 'skipped')),
    output       JSONB NOT NULL DEFAULT '{}',
    finished_at  TIMESTAMPTZ NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, step)
);

-- Only queues that differ from the default have a row.
CREATE TABLE queues (
    name             TEXT PRIMARY KEY,
    paused           BOOLEAN NOT NULL DEFAULT FALSE,
    paused_by        TEXT,
    paused_reason    TEXT,
    paused_at        TIMESTAMPTZ,
    concurrency      BIGINT CHECK (concurrency > 0),        -- jobs running at a time over all processes
    rate_per_second  DOUBLE PRECISION CHECK (rate_per_second > 0),
    burst            BIGINT NOT NULL DEFAULT 1 CHECK (burst > 0),
    tokens           DOUBLE PRECISION NOT NULL DEFAULT 0,   -- of the bucket, as of tokens_at
    tokens_at        TIMESTAMPTZ,
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at       TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE workers (
    id            TEXT PRIMARY KEY,
    hostname      TEXT NOT NULL,
    queues        JSONB NOT NULL,
    started_at    TIMESTAMPTZ NOT NULL,
    heartbeat_at  TIMESTAMPTZ NOT NULL,
    running       BIGINT NOT NULL DEFAULT 0,
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at    TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- One row per outside effect, committed before it leaves.
CREATE TABLE effects (
    id            TEXT PRIMARY KEY,
    kind          TEXT NOT NULL,                   -- sms, call
    business_key  TEXT NOT NULL,                   -- the fact that asks for it: message event id, booking call id
    job_id        TEXT,
    mode          TEXT NOT NULL CHECK (mode IN ('simulated', 'test', 'live')),
    state         TEXT NOT NULL CHECK (state IN ('reserved', 'asked', 'confirmed', 'refused', 'unknown')),
    provider_ref  TEXT,
    asked_at      TIMESTAMPTZ,
    settled_at    TIMESTAMPTZ,
    error         TEXT,
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (kind, business_key)
);
