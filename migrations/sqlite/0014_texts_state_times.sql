-- Which start of a booking a text states, so that a text about a time that was changed can be taken back before it
-- leaves and nobody is told the same time twice.

ALTER TABLE automation_runs ADD COLUMN states_start_at TEXT;         -- empty: its text states no booking's start
ALTER TABLE automation_runs ADD COLUMN states_version BIGINT;        -- the booking's version when the text was written
