-- The log of an organisation in the order of ids. The log of all organisations is read by the primary key.
--
-- It replaces event_log_org, which the version before still reads; the next release may drop that one. Entries of
-- webhooks have no org_id, so neither index is written for them.

CREATE INDEX event_log_org_newest ON event_log (org_id, id) WHERE org_id IS NOT NULL;
