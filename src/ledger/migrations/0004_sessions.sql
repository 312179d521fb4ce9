-- Executions are found by their session, and runs are listed without them.
ALTER TABLE runs ADD COLUMN session TEXT NOT NULL DEFAULT '';

DROP INDEX runs_newest;
DROP INDEX runs_of_caller;
CREATE INDEX runs_newest ON runs (created_ms, id) WHERE session = '';
CREATE INDEX runs_of_caller ON runs (caller, created_ms, id) WHERE session = '';
CREATE INDEX runs_of_session ON runs (session, created_ms, id) WHERE session <> '';
