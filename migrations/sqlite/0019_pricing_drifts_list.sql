-- The list of the drifts that a run found, newest first.

CREATE INDEX pricing_drifts_newest ON pricing_drifts (run_id, created_at, id);
