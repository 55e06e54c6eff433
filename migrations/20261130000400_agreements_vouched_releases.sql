-- Agreements: releases bear no signature; the program that put one on file vouches for it by a key outside the database.
SET ROLE throughline_owner;
ALTER TABLE agreements.instrument ADD COLUMN vouched bytea;
COMMENT ON COLUMN agreements.instrument.vouched IS 'Of a release: a keyed hash over its digest, who recorded it and when. Orders and emergencies bear signatures instead.';
GRANT UPDATE (vouched) ON agreements.instrument TO throughline_agreements;
-- Vouching for what was on file before changes nothing else.
DROP TRIGGER instrument_revoked_once ON agreements.instrument;
CREATE TRIGGER instrument_revoked_once BEFORE UPDATE OF revoked_at ON agreements.instrument
    FOR EACH ROW EXECUTE FUNCTION agreements.refuse_unrevoking();
RESET ROLE;
