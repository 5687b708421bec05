-- Every payment that the provider reported, whether or not its booking is known. A payment and the checkout that names its
-- booking are reported apart and in any order; both hold this row while they are acted on.

CREATE TABLE payments (
    id              TEXT PRIMARY KEY,                       -- the provider's id of the payment, e.g. pi_...
    booking_id      TEXT REFERENCES bookings (id),          -- null while nothing has named a booking
    received_minor  INTEGER,                                -- null until it was reported
    currency        TEXT,
    refunded_minor  INTEGER NOT NULL DEFAULT 0,             -- running total given back of it
    fully_refunded  BOOLEAN NOT NULL DEFAULT FALSE,
    of_client       BOOLEAN NOT NULL DEFAULT FALSE,         -- pays a subscription or another matter of a client
    created_at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

-- What a booking shows follows from all of its payments.
CREATE INDEX payments_booking ON payments (booking_id) WHERE booking_id IS NOT NULL;
