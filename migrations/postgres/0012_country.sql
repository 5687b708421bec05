-- The country in which an organisation's phone numbers are read: ISO 3166, two capital letters. Null means that of its
-- time zone, as for every organisation that was there before.
ALTER TABLE organizations ADD COLUMN country TEXT;
