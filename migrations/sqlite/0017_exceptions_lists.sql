-- The list of exceptions in its order: for an owner, and for operators, who see the rows of every organisation.
--
-- This step and the next five are one for each table: a step is one transaction, so no step holds the locks of two tables.

CREATE INDEX exceptions_urgent ON exceptions
    (org_id, status, (CASE severity WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END), created_at, id);
CREATE INDEX exceptions_urgent_of_all ON exceptions
    (status, (CASE severity WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END), created_at, id);
