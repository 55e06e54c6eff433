-- Identity: a person who may be two children under one state id is kept back like a person under an order, until a steward settles it.

SET ROLE throughline_owner;

ALTER TABLE identity.restriction
    DROP CONSTRAINT restriction_kind_check,
    ADD CONSTRAINT restriction_kind_check
        CHECK (kind IN ('sealed', 'protective_order', 'confidential_address', 'legal_hold', 'doubtful_identity')),
    ADD COLUMN settled_by text,
    ADD COLUMN settled_reason text,
    ADD CONSTRAINT restriction_settled CHECK ((settled_by IS NULL) = (settled_reason IS NULL));
COMMENT ON COLUMN identity.restriction.kind IS 'What orders it; doubtful_identity: what is reported under one state id may be about two children.';
COMMENT ON COLUMN identity.restriction.order_number IS 'The number of the order; of a doubtful identity the batch and line that raised the doubt.';
COMMENT ON COLUMN identity.restriction.settled_by IS 'The steward who settled a doubtful identity: in_force ends then. Orders are not settled.';
COMMENT ON COLUMN identity.restriction.settled_reason IS 'Why, in the steward''s words.';
CREATE INDEX restriction_doubtful ON identity.restriction (recorded_at) WHERE kind = 'doubtful_identity' AND upper_inf(in_force);

-- The doubt is raised by the load that brings it, in its transaction.
GRANT SELECT, INSERT ON identity.restriction TO throughline_intake;

RESET ROLE;
