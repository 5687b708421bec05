-- Read-only views under the names that operators' documented checks use.

CREATE VIEW "MessageThread" AS
SELECT id, org_id AS "orgId", scope, booking_id AS "bookingId", client_id AS "clientId",
       assigned_sitter_id AS "assignedSitterId", message_number_id AS "messageNumberId",
       masked_number_e164 AS "maskedNumberE164", number_class AS "numberClass", status,
       last_message_at AS "lastMessageAt", last_inbound_at AS "lastInboundAt",
       owner_unread AS "ownerUnread", sitter_unread AS "sitterUnread",
       created_at AS "createdAt", updated_at AS "updatedAt"
FROM message_threads;

CREATE VIEW "AssignmentWindow" AS
SELECT id, org_id AS "orgId", booking_id AS "bookingId", thread_id AS "threadId", sitter_id AS "sitterId",
       starts_at AS "startsAt", ends_at AS "endsAt", cancelled_at AS "cancelledAt",
       CASE WHEN cancelled_at IS NOT NULL THEN 'cancelled'
            WHEN strftime('%Y-%m-%dT%H:%M:%fZ', 'now') < starts_at THEN 'future'
            WHEN strftime('%Y-%m-%dT%H:%M:%fZ', 'now') < ends_at THEN 'active'
            ELSE 'past' END AS status,
       created_at AS "createdAt", updated_at AS "updatedAt"
FROM assignment_windows;

CREATE VIEW "EventLog" AS
SELECT id, org_id AS "orgId", event_type AS "eventType", status, actor_type AS "actorType", actor_id AS "actorId",
       booking_id AS "bookingId", thread_id AS "threadId", client_id AS "clientId", sitter_id AS "sitterId",
       job_id AS "jobId", inbox_id AS "inboxId", correlation_id AS "correlationId", metadata,
       created_at AS "createdAt"
FROM event_log;
