-- Disclosure: by what a client's content that was delivered last is known to be the same, without reading it.
SET ROLE throughline_owner;

ALTER TABLE disclosure.delivered ADD COLUMN stamp bytea CHECK (octet_length(stamp) = 32);
COMMENT ON COLUMN disclosure.delivered.stamp IS 'SHA-256 over everything the content rests on (the facts that may be disclosed, by a hash of each; the decision; the organizations; the program''s version). Equal stamps are equal content, so that only clients whom something has touched are assembled. NULL: not known.';
RESET ROLE;
