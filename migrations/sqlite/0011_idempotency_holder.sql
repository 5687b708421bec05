-- Which request holds a key: two that begin in the same millisecond are told apart, so that one that fails gives back
-- only what is its own.

ALTER TABLE idempotency_keys ADD COLUMN holder TEXT;
