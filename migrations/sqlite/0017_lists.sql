-- Lists are read in their order from an index, also by operators, who see the rows of every organisation.
--
-- Each index costs every write of its table. `jobs` and `webhook_inbox` get none: the list of jobs follows the primary key,
-- and so does the event log, which each webhook writes to: one of its indexes is replaced, none is added. It comes last:
-- on PostgreSQL its writers wait while its index is built.

CREATE INDEX exceptions_urgent ON exceptions
    (org_id, status, (CASE severity WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END), created_at, id);
CREATE INDEX exceptions_urgent_of_all ON exceptions
    (status, (CASE severity WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END), created_at, id);
CREATE INDEX bookings_newest_by_status ON bookings (org_id, status, created_at, id);
CREATE INDEX pricing_drifts_newest ON pricing_drifts (run_id, created_at, id);
CREATE INDEX reconciliation_runs_newest_of_all ON reconciliation_runs (created_at, id);
CREATE INDEX automation_runs_newest_of_all ON automation_runs (created_at, id);
CREATE INDEX event_log_org_newest ON event_log (org_id, id) WHERE org_id IS NOT NULL;
DROP INDEX event_log_org;
