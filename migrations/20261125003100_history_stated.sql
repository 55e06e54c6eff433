-- History: which persons a line of a batch speaks of, whatever became of the facts: whoever opens the line as received is told apart from
-- who may see it.
SET ROLE throughline_owner;
CREATE VIEW history.stated WITH (security_invoker = true) AS
SELECT f.recorded_batch, f.line, f.source_person_id,
    f.restriction <> 0 OR EXISTS (
        SELECT FROM history.restriction AS x
        WHERE x.source_person_id = f.source_person_id
            AND x.domain = f.domain
            AND (x.natural_key IS NULL OR x.natural_key = f.natural_key)
            AND x.kind = 'sealed'
            AND x.in_force @> nullif(current_setting('throughline.at', true), '')::timestamptz
    ) AS is_sealed
FROM history.fact AS f;
COMMENT ON VIEW history.stated IS
    'Whose facts a line of a batch stated, superseded and expunged ones too, and whether one of them is expunged or under seal at throughline.at. Published for disclosure; holds no content.';
GRANT SELECT ON history.stated TO throughline_steward;
RESET ROLE;
