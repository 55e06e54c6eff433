-- Identity: an order about a person whom the state has not reported yet is in force from the moment that it does.

SET ROLE throughline_owner;

CREATE TABLE identity.awaiting_order (
    sea text NOT NULL,
    state_id text NOT NULL,
    domain smallint,
    kind text NOT NULL CHECK (kind IN ('sealed', 'protective_order', 'confidential_address', 'legal_hold')),
    in_force tstzrange NOT NULL CHECK (NOT isempty(in_force)),
    order_number text NOT NULL,
    decided_by text NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX awaiting_order_once ON identity.awaiting_order (sea, state_id, kind, order_number, COALESCE(domain, 0));
COMMENT ON TABLE identity.awaiting_order IS 'Orders about persons nobody has reported: each restricts the person in the statement that introduces them. Kept, as the paper behind it.';
COMMENT ON COLUMN identity.awaiting_order.domain IS 'The domain; NULL: everything about the person.';
GRANT SELECT, INSERT ON identity.awaiting_order TO throughline_identity;

-- Whoever introduces a person, by whatever path, brings the orders that wait for them into force.
CREATE FUNCTION identity.bring_orders_into_force() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO identity.restriction (source_person_id, kind, in_force, order_number, decided_by, recorded_at)
    SELECT n.source_person_id, a.kind, a.in_force, a.order_number, a.decided_by, a.recorded_at
    FROM identity.awaiting_order AS a JOIN added AS n ON n.sea = a.sea AND n.state_id = a.state_id
    WHERE a.domain IS NULL;
    INSERT INTO history.restriction (source_person_id, domain, kind, in_force, order_number, decided_by, recorded_at)
    SELECT n.source_person_id, a.domain, a.kind, a.in_force, a.order_number, a.decided_by, a.recorded_at
    FROM identity.awaiting_order AS a JOIN added AS n ON n.sea = a.sea AND n.state_id = a.state_id
    WHERE a.domain IS NOT NULL;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION identity.bring_orders_into_force() FROM PUBLIC;
CREATE TRIGGER orders_come_into_force AFTER INSERT ON identity.source_person
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION identity.bring_orders_into_force();

RESET ROLE;
