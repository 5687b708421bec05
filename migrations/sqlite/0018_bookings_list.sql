-- The list of an organisation's bookings of one status, newest first.

CREATE INDEX bookings_newest_by_status ON bookings (org_id, status, created_at, id);
