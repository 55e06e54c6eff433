-- History: which orders are in force over a domain or a fact of a person, so that whoever explains a disclosure can name them.
SET ROLE throughline_owner;
CREATE VIEW history.under_order WITH (security_invoker = true) AS
SELECT x.source_person_id, x.domain, x.natural_key, x.kind, x.order_number
FROM history.restriction AS x
WHERE x.in_force @> nullif(current_setting('throughline.at', true), '')::timestamptz;
COMMENT ON VIEW history.under_order IS
    'Orders in force at throughline.at over a domain of a person or, where natural_key is not NULL, over one fact. Published for disclosure, which names them to stewards alone; holds no content.';
GRANT SELECT ON history.under_order TO throughline_steward;
RESET ROLE;
