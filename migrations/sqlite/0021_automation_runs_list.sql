-- The list of the automation runs of every organisation, newest first.

CREATE INDEX automation_runs_newest_of_all ON automation_runs (created_at, id);
