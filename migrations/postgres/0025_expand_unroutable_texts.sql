-- A text that reached no organisation can be routed later: its webhook then has a second trace, with another outcome.

-- The index is dropped first, which locks the table for all that follows. If it were locked for reading at first, a
-- transaction that has read it and is about to write to it would wait for the migration, and the migration for it.
-- widens: the previous version finds the trace of a webhook by the index below
DROP INDEX routing_traces_inbox;
-- widens: the previous version writes one trace for each webhook, which this index allows too
CREATE UNIQUE INDEX routing_traces_outcome ON routing_traces (inbox_id, outcome) WHERE inbox_id IS NOT NULL;
-- The texts that reached no organisation.
CREATE INDEX routing_traces_unroutable ON routing_traces (created_at) WHERE outcome = 'unroutable';
