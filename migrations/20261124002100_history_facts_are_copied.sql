-- History: facts come in by COPY, straight into the partition of their domain.

SET ROLE throughline_owner;

-- PostgreSQL copies into no table that has row security. The partitions have none and no privileges either, so that nobody reads around the
-- fence of history.fact; whoever loads may now add to them, as it may through history.fact, and still read through history.fact alone.
GRANT INSERT ON history.fact_enrollment, history.fact_attendance, history.fact_special_education, history.fact_discipline,
    history.fact_assessment, history.fact_course, history.fact_contact, history.fact_program, history.fact_literacy
    TO throughline_intake;

-- The student domain has a fence of its own, identity.person_fact. It becomes the one door to a table below it, which is like the other
-- partitions: without row security, and with no privilege but that of adding.
ALTER TABLE history.fact DETACH PARTITION identity.person_fact;
ALTER TABLE identity.person_fact RENAME TO person_fact_row;
REVOKE ALL ON identity.person_fact_row FROM throughline_identity, throughline_intake, throughline_steward;
DROP POLICY keeps ON identity.person_fact_row;
DROP POLICY inspects ON identity.person_fact_row;
ALTER TABLE identity.person_fact_row NO FORCE ROW LEVEL SECURITY;
ALTER TABLE identity.person_fact_row DISABLE ROW LEVEL SECURITY;
COMMENT ON TABLE identity.person_fact_row IS 'The rows of identity.person_fact, which alone is read. A load copies into it.';

CREATE TABLE identity.person_fact PARTITION OF history.fact FOR VALUES IN (1) PARTITION BY LIST (domain);
COMMENT ON TABLE identity.person_fact IS 'Facts of the student domain: names, birth date, demographics. Row security keeps it from every role but identity, intake and disclosure.';
ALTER TABLE identity.person_fact ATTACH PARTITION identity.person_fact_row FOR VALUES IN (1);
GRANT SELECT ON identity.person_fact TO throughline_identity, throughline_intake, throughline_steward;
ALTER TABLE identity.person_fact ENABLE ROW LEVEL SECURITY;
ALTER TABLE identity.person_fact FORCE ROW LEVEL SECURITY;
CREATE POLICY keeps ON identity.person_fact FOR SELECT TO throughline_identity, throughline_intake USING (true);
CREATE POLICY inspects ON identity.person_fact FOR SELECT TO throughline_steward USING (true);
GRANT INSERT ON identity.person_fact_row TO throughline_intake;

RESET ROLE;
