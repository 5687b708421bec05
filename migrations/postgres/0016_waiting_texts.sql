-- The texts of a number that wait for their second. A step of its own: on PostgreSQL it reads all texts, and nothing else
-- is locked meanwhile.

CREATE INDEX message_events_waiting ON message_events (from_number_id, send_slot_at)
    WHERE status = 'queued' AND send_slot_at IS NOT NULL;
