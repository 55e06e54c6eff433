-- Ledger: calls are forgotten from the oldest on, a part at a time.
SET ROLE throughline_owner;
CREATE INDEX request_answered_at ON ledger.request (answered_at);

RESET ROLE;
