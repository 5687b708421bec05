-- The row of an event in the inbox is the receipt of its first delivery, so a delivery no longer needs an entry in the
-- event log as well. Entries remain for repeated deliveries.

-- The id of the request that made the first delivery. NULL: the version before stored this row, and its receipt is in
-- event_log.
ALTER TABLE webhook_inbox ADD COLUMN request_id TEXT;
CREATE INDEX webhook_inbox_request ON webhook_inbox (request_id) WHERE request_id IS NOT NULL;

-- The receipts that the inbox holds, as entries of the event log.
--
-- The casts give the columns the types of event_log's, without which SQLite would sort both places together.
CREATE VIEW webhook_receipts AS
SELECT id, CAST(NULL AS TEXT) AS org_id,
       CAST(CASE provider WHEN 'openphone' THEN 'webhook.sms.received'
                          WHEN 'twilio_status' THEN 'webhook.twilio.received'
                          ELSE 'webhook.' || provider || '.received' END AS TEXT) AS event_type,
       CAST('success' AS TEXT) AS status, CAST('webhook' AS TEXT) AS actor_type, CAST(NULL AS TEXT) AS actor_id,
       CAST(NULL AS TEXT) AS booking_id, CAST(NULL AS TEXT) AS thread_id, CAST(NULL AS TEXT) AS client_id,
       CAST(NULL AS TEXT) AS sitter_id, CAST(NULL AS TEXT) AS job_id, id AS inbox_id, request_id AS correlation_id,
       CAST(json_object('eventType', event_type, 'duplicate', json('false')) AS TEXT) AS metadata,
       received_at AS created_at
FROM webhook_inbox
WHERE request_id IS NOT NULL;

-- widens: the view comes back with the same columns and more rows
DROP VIEW "EventLog";
CREATE VIEW "EventLog" AS
SELECT id, org_id AS "orgId", event_type AS "eventType", status, actor_type AS "actorType", actor_id AS "actorId",
       booking_id AS "bookingId", thread_id AS "threadId", client_id AS "clientId", sitter_id AS "sitterId",
       job_id AS "jobId", inbox_id AS "inboxId", correlation_id AS "correlationId", metadata,
       created_at AS "createdAt"
FROM event_log
UNION ALL
SELECT id, org_id, event_type, status, actor_type, actor_id, booking_id, thread_id, client_id, sitter_id, job_id,
       inbox_id, correlation_id, metadata, created_at
FROM webhook_receipts;

-- What a receipt says never changes.
-- widens: no version changes these columns of a row
CREATE TRIGGER webhook_inbox_receipt_immutable
    BEFORE UPDATE OF id, provider, event_key, event_type, verified, received_at, request_id ON webhook_inbox
BEGIN SELECT RAISE(ABORT, 'a receipt in webhook_inbox is immutable: it is never changed'); END;

-- A receipt whose row is deleted stays as an entry of the event log, with the same id. It is there already if the row was
-- deleted before and restored from a backup.
-- widens: rows can still be deleted
CREATE TRIGGER webhook_inbox_receipt_kept BEFORE DELETE ON webhook_inbox WHEN OLD.request_id IS NOT NULL
BEGIN
    INSERT INTO event_log (id, org_id, event_type, status, actor_type, actor_id, booking_id, thread_id, client_id,
                           sitter_id, job_id, inbox_id, correlation_id, metadata, created_at)
    SELECT id, org_id, event_type, status, actor_type, actor_id, booking_id, thread_id, client_id,
           sitter_id, job_id, inbox_id, correlation_id, metadata, created_at
    FROM webhook_receipts WHERE id = OLD.id AND NOT EXISTS (SELECT 1 FROM event_log WHERE id = OLD.id);
END;

-- Retention reads the table once a day.
-- widens: the previous version finds the same events without this index, by reading the table once a day, and again for
-- every 1,000 events that have become too old
DROP INDEX webhook_inbox_with_payload;
-- widens: the same
DROP INDEX webhook_inbox_emptied;
