-- The record of disclosures by school and by request: whom a school reported, and what rests on a request, are found by a key.
SET ROLE throughline_owner;
-- The words are long where an act states its reason, longer than an index takes: statements ask for the beginning and compare the whole.
CREATE INDEX detail_authority ON ledger.detail (left(authority, 120)) WHERE authority IS NOT NULL;
CREATE INDEX fact_enrollment_lea ON history.fact_enrollment (lea);
CREATE INDEX fact_enrollment_facility ON history.fact_enrollment (facility) WHERE facility IS NOT NULL;
RESET ROLE;
