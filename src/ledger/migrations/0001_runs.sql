-- What changes while a run lives is kept apart from what is large: an UPDATE writes its whole row.
CREATE TABLE runs (
  seq         INTEGER PRIMARY KEY,  -- the order in which they were accepted
  id          TEXT    NOT NULL UNIQUE,
  caller      TEXT    NOT NULL,
  batch       TEXT    NOT NULL,
  state       TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'done', 'cancelled', 'lost')),
  language    TEXT    NOT NULL,
  policy      TEXT    NOT NULL,
  status      TEXT    NOT NULL,
  reason      TEXT    NOT NULL,
  webhook     TEXT    NOT NULL,
  attempts    INTEGER NOT NULL,
  created_ms  INTEGER NOT NULL,
  started_ms  INTEGER NOT NULL,
  finished_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX runs_newest ON runs (created_ms, id);
CREATE INDEX runs_of_caller ON runs (caller, created_ms, id);
CREATE INDEX runs_of_batch ON runs (batch, created_ms, id) WHERE batch <> '';
CREATE INDEX runs_unfinished ON runs (seq) WHERE state IN ('queued', 'running');
CREATE INDEX runs_ended ON runs (finished_ms) WHERE state IN ('done', 'cancelled', 'lost');

CREATE TABLE submissions (
  run  INTEGER PRIMARY KEY REFERENCES runs (seq) ON DELETE CASCADE,
  body TEXT    NOT NULL
) STRICT;

CREATE TABLE outcomes (
  run  INTEGER PRIMARY KEY REFERENCES runs (seq) ON DELETE CASCADE,
  body TEXT    NOT NULL
) STRICT;

CREATE TABLE artifacts (
  run        INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
  path       TEXT    NOT NULL,
  executable INTEGER NOT NULL,
  content    BLOB    NOT NULL,
  UNIQUE (run, path)
) STRICT;

-- One row for each request that came with an idempotency key.
CREATE TABLE requests (
  caller     TEXT    NOT NULL,
  key        TEXT    NOT NULL,
  digest     BLOB    NOT NULL,  -- of what was submitted
  created_ms INTEGER NOT NULL,
  run        INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
  PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX requests_of_run ON requests (run);
