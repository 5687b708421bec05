-- The row of an event in the inbox is the receipt of its first delivery, so a delivery no longer needs an entry in the
-- event log as well. Entries remain for repeated deliveries.

-- The id of the request that made the first delivery. NULL: the version before stored this row, and its receipt is in
-- event_log.
ALTER TABLE webhook_inbox ADD COLUMN request_id TEXT;
CREATE INDEX webhook_inbox_request ON webhook_inbox (request_id) WHERE request_id IS NOT NULL;

-- The type of the entry about a delivery.
CREATE FUNCTION webhook_received_type(provider text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE provider WHEN 'openphone' THEN 'webhook.sms.received'
                         WHEN 'twilio_status' THEN 'webhook.twilio.received'
                         ELSE 'webhook.' || provider || '.received' END
$$;

-- The receipts that the inbox holds, as entries of the event log.
CREATE VIEW webhook_receipts AS
SELECT id, NULL::text AS org_id,
       webhook_received_type(provider) AS event_type,
       'success'::text AS status, 'webhook'::text AS actor_type, NULL::text AS actor_id, NULL::text AS booking_id,
       NULL::text AS thread_id, NULL::text AS client_id, NULL::text AS sitter_id, NULL::text AS job_id, id AS inbox_id,
       request_id AS correlation_id, jsonb_build_object('eventType', event_type, 'duplicate', false) AS metadata,
       received_at AS created_at
FROM webhook_inbox
WHERE request_id IS NOT NULL;

-- widens: the same columns and more rows
CREATE OR REPLACE VIEW "EventLog" AS
SELECT id, org_id AS "orgId", event_type AS "eventType", status, actor_type AS "actorType", actor_id AS "actorId",
       booking_id AS "bookingId", thread_id AS "threadId", client_id AS "clientId", sitter_id AS "sitterId",
       job_id AS "jobId", inbox_id AS "inboxId", correlation_id AS "correlationId", metadata,
       created_at AS "createdAt"
FROM event_log
UNION ALL
-- The order lets the planner read the newest entries of both tables from their primary keys.
(SELECT id, org_id, event_type, status, actor_type, actor_id, booking_id, thread_id, client_id, sitter_id, job_id,
        inbox_id, correlation_id, metadata, created_at
 FROM webhook_receipts ORDER BY id DESC);

-- What a receipt says never changes.
CREATE FUNCTION refuse_receipt_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        RAISE EXCEPTION 'webhook_inbox is never truncated: its receipts would be lost';
    END IF;
    RAISE EXCEPTION 'a receipt in webhook_inbox is immutable: it is never changed';
END $$;
-- widens: no version changes these columns of a row
CREATE TRIGGER webhook_inbox_receipt_immutable
    BEFORE UPDATE OF id, provider, event_key, event_type, verified, received_at, request_id ON webhook_inbox
    FOR EACH ROW EXECUTE FUNCTION refuse_receipt_change();
-- widens: no version empties the table
CREATE TRIGGER webhook_inbox_kept BEFORE TRUNCATE ON webhook_inbox
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_receipt_change();

-- A receipt whose row is deleted stays as an entry of the event log, with the same id. It is there already if the row was
-- deleted before and restored from a backup.
CREATE FUNCTION keep_receipts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event_log (id, event_type, status, actor_type, inbox_id, correlation_id, metadata, created_at)
    SELECT id, webhook_received_type(provider), 'success', 'webhook', id, request_id,
           jsonb_build_object('eventType', event_type, 'duplicate', false), received_at
    FROM deleted WHERE request_id IS NOT NULL
    ON CONFLICT (id) DO NOTHING;
    RETURN NULL;
END $$;
-- widens: rows can still be deleted
CREATE TRIGGER webhook_inbox_receipts_kept AFTER DELETE ON webhook_inbox REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION keep_receipts();

-- Retention reads the table once a day.
-- widens: the previous version finds the same events without this index, by reading the table once a day, and again for
-- every 1,000 events that have become too old
DROP INDEX webhook_inbox_with_payload;
-- widens: the same
DROP INDEX webhook_inbox_emptied;
