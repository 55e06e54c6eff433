-- Scheduler: the work of days, who is at it, and how it ended.
SET ROLE throughline_owner;

CREATE SCHEMA scheduler;
COMMENT ON SCHEMA scheduler IS 'Work that is to be done on certain days, under leases. It says of no student anything.';

CREATE TABLE scheduler.job (
    name text NOT NULL,
    day date NOT NULL,
    due_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'given_up')),
    attempts integer NOT NULL CHECK (attempts >= 0),
    next_at timestamptz NOT NULL,
    begun_at timestamptz,
    lease uuid UNIQUE,
    leased_until timestamptz,
    ended_at timestamptz,
    said text,
    PRIMARY KEY (name, day),
    CHECK ((state = 'running') = (lease IS NOT NULL AND leased_until IS NOT NULL))
);
COMMENT ON TABLE scheduler.job IS 'A day''s work of a name. Whoever is at it holds a lease that runs out unless it is renewed; work under a lease that ran out is taken again.';
COMMENT ON COLUMN scheduler.job.day IS 'The day in the zone of whoever waits for the work.';
COMMENT ON COLUMN scheduler.job.due_at IS 'When the calendar said that it was due.';
COMMENT ON COLUMN scheduler.job.next_at IS 'When it may be taken, while it waits.';
COMMENT ON COLUMN scheduler.job.lease IS 'Whoever is at it, by a random id of the attempt.';
COMMENT ON COLUMN scheduler.job.said IS 'What was said when it ended last, for operators: without personal data.';

CREATE TABLE scheduler.pause (
    name text PRIMARY KEY,
    by text NOT NULL,
    reason text NOT NULL,
    since timestamptz NOT NULL
);
COMMENT ON TABLE scheduler.pause IS 'Work that an operator has stopped, until it is resumed.';
COMMENT ON COLUMN scheduler.pause.by IS 'Who stopped it.';

GRANT USAGE ON SCHEMA scheduler TO throughline_scheduler;
GRANT SELECT, INSERT, UPDATE, DELETE ON scheduler.job, scheduler.pause TO throughline_scheduler;
RESET ROLE;
