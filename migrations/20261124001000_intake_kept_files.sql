-- Files as they were received, for the SEA's own stewards: the door `disclosure::trace` enters each look before it opens one.

SET ROLE throughline_owner;

CREATE VIEW intake.kept_file AS
SELECT b.batch_id, b.sea, b.file_name, b.layout, b.sha256, b.size_bytes, b.recorded_at
FROM intake.batch AS b
WHERE b.state = 'loaded';
COMMENT ON VIEW intake.kept_file IS 'Loaded files whose bytes are kept. Published for disclosure.';

CREATE VIEW intake.kept_block AS
SELECT k.batch_id, k.block, k.bytes
FROM intake.raw_block AS k;
COMMENT ON VIEW intake.kept_block IS 'Their bytes, in the order of block: gzip members, one after the other the file. Holds names. Published for disclosure, which enters an access before it reads one.';

GRANT SELECT ON intake.kept_file, intake.kept_block TO throughline_steward;

RESET ROLE;
