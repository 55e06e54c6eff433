-- Identity: an officer's and an office's clients, found by key.
SET ROLE throughline_owner;
CREATE INDEX authority_officer ON identity.authority (officer) WHERE superseded_at IS NULL;
CREATE INDEX authority_office ON identity.authority (office) WHERE superseded_at IS NULL;
COMMENT ON INDEX identity.authority_officer IS 'An officer''s caseload in the portal.';
COMMENT ON INDEX identity.authority_office IS 'An office''s clients in the portal.';
RESET ROLE;
