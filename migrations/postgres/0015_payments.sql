-- Every payment that the provider reported, whether or not its booking is known. A payment and the checkout that names its
-- booking are reported apart and in any order; both hold this row while they are acted on.

CREATE TABLE payments (
    id              TEXT PRIMARY KEY,                       -- the provider's id of the payment, e.g. pi_...
    booking_id      TEXT REFERENCES bookings (id),          -- null while nothing has named a booking
    received_minor  BIGINT,                                 -- null until it was reported
    currency        TEXT,
    refunded_minor  BIGINT NOT NULL DEFAULT 0,              -- running total given back of it
    fully_refunded  BOOLEAN NOT NULL DEFAULT FALSE,
    of_client       BOOLEAN NOT NULL DEFAULT FALSE,         -- pays a subscription or another matter of a client
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at      TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- What a booking shows follows from all of its payments.
CREATE INDEX payments_booking ON payments (booking_id) WHERE booking_id IS NOT NULL;
