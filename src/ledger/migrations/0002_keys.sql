CREATE TABLE keys (
  id                  TEXT    PRIMARY KEY,
  digest              BLOB    NOT NULL UNIQUE,  -- of the secret, which is kept nowhere
  user                TEXT    NOT NULL,
  name                TEXT    NOT NULL,
  scopes              TEXT    NOT NULL,  -- joined by spaces
  created_ms          INTEGER NOT NULL,
  last_used_ms        INTEGER NOT NULL,
  expires_ms          INTEGER NOT NULL,
  revoked_ms          INTEGER NOT NULL,
  requests_per_minute INTEGER NOT NULL,
  concurrent          INTEGER NOT NULL,
  runs_per_day        INTEGER NOT NULL
) STRICT;

-- Counted apart from the runs, so that removing a run gives nothing back.
CREATE TABLE uses (
  subject TEXT    NOT NULL,
  day     INTEGER NOT NULL,  -- since 1970, UTC
  count   INTEGER NOT NULL,
  PRIMARY KEY (subject, day)
) STRICT, WITHOUT ROWID;
