CREATE TABLE deliveries (
  seq      INTEGER PRIMARY KEY,
  id       TEXT    NOT NULL UNIQUE,
  run      INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
  url      TEXT    NOT NULL,
  body     TEXT    NOT NULL,
  attempts INTEGER NOT NULL,
  next_ms  INTEGER NOT NULL,
  state    TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
  error    TEXT    NOT NULL
) STRICT;

CREATE INDEX deliveries_due ON deliveries (next_ms) WHERE state = 'pending';
CREATE INDEX deliveries_of_run ON deliveries (run);
