-- The list of the runs of every organisation, newest first.

CREATE INDEX reconciliation_runs_newest_of_all ON reconciliation_runs (created_at, id);
