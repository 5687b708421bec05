-- Guesses at passwords, counted before they are tried. login_failures, which counted them afterwards, is written by the
-- version before alone, and goes in a later release.

CREATE TABLE sign_in_guesses (
    key      TEXT PRIMARY KEY,                              -- address:, account: or device:, and a keyed hash
    guesses  BIGINT NOT NULL,
    since    TIMESTAMPTZ NOT NULL,                          -- first guess counted; 15 minutes later counting restarts
    last_at  TIMESTAMPTZ NOT NULL                           -- the last guess that was let through
);
CREATE INDEX sign_in_guesses_since ON sign_in_guesses (since);
