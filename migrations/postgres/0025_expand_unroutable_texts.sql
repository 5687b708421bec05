-- A text that reached no organisation can be routed later: its webhook then has a second trace, with another outcome.

-- widens: the previous version writes one trace for each webhook, which this index allows too
CREATE UNIQUE INDEX routing_traces_outcome ON routing_traces (inbox_id, outcome) WHERE inbox_id IS NOT NULL;
-- widens: the previous version finds the trace of a webhook by the index above
DROP INDEX routing_traces_inbox;
-- The texts that reached no organisation.
CREATE INDEX routing_traces_unroutable ON routing_traces (created_at) WHERE outcome = 'unroutable';
