-- Runs and what is large of them are in partitions by the day of created_ms (UTC), runs_19675 and so on, which
-- the store makes ahead and drops whole. Text is compared byte by byte, as SQLite does; what comes from outside of
-- this program is bytea, which holds any byte.

-- Where a run is. One row for each, because no index holds ids apart over all partitions.
CREATE TABLE places (
  id         text COLLATE "C" PRIMARY KEY,
  created_ms bigint NOT NULL
);

CREATE SEQUENCE run_sequence AS bigint;

CREATE TABLE runs (
  created_ms  bigint NOT NULL,
  id          text COLLATE "C" NOT NULL,
  seq         bigint NOT NULL DEFAULT nextval('run_sequence'),  -- the order in which they were accepted
  caller      text COLLATE "C" NOT NULL,
  batch       text COLLATE "C" NOT NULL,
  session     text COLLATE "C" NOT NULL,
  state       text COLLATE "C" NOT NULL CHECK (state IN ('queued', 'running', 'done', 'cancelled', 'lost')),
  language    text COLLATE "C" NOT NULL,
  policy      text COLLATE "C" NOT NULL,
  status      text COLLATE "C" NOT NULL,
  reason      bytea  NOT NULL,
  webhook     text COLLATE "C" NOT NULL,
  attempts    bigint NOT NULL,
  started_ms  bigint NOT NULL,
  finished_ms bigint NOT NULL,
  owner       text COLLATE "C" NOT NULL,  -- the gateway that has it to run
  bytes       bigint NOT NULL,            -- of all that belongs to it
  PRIMARY KEY (created_ms, id)
) PARTITION BY RANGE (created_ms);

-- Executions are found by their session, and runs are listed without them.
CREATE INDEX ON runs (created_ms, id) WHERE session = '';
CREATE INDEX ON runs (caller, created_ms, id) WHERE session = '';
CREATE INDEX ON runs (session, created_ms, id) WHERE session <> '';
CREATE INDEX ON runs (batch, created_ms, id) WHERE batch <> '';
CREATE INDEX ON runs (owner) WHERE state IN ('queued', 'running');
CREATE INDEX ON runs (finished_ms) WHERE state IN ('done', 'cancelled', 'lost');

CREATE TABLE submissions (
  created_ms bigint NOT NULL,
  run        text COLLATE "C" NOT NULL,
  body       bytea  NOT NULL,
  PRIMARY KEY (created_ms, run)
) PARTITION BY RANGE (created_ms);

CREATE TABLE outcomes (
  created_ms bigint NOT NULL,
  run        text COLLATE "C" NOT NULL,
  body       bytea  NOT NULL,
  PRIMARY KEY (created_ms, run)
) PARTITION BY RANGE (created_ms);

CREATE TABLE artifacts (
  created_ms bigint NOT NULL,
  run        text COLLATE "C" NOT NULL,
  path       bytea  NOT NULL,
  executable bigint NOT NULL,
  content    bytea  NOT NULL
) PARTITION BY RANGE (created_ms);

CREATE INDEX ON artifacts (created_ms, run);

-- One row for each request that came with an idempotency key.
CREATE TABLE requests (
  caller     text COLLATE "C" NOT NULL,
  key        bytea  NOT NULL,
  digest     bytea  NOT NULL,  -- of what was submitted
  created_ms bigint NOT NULL,
  run        text COLLATE "C" NOT NULL,
  PRIMARY KEY (caller, key)
);

CREATE INDEX ON requests (run);

-- Bytes of all runs, in as many parts as keep writers out of each other's way.
CREATE TABLE held (
  part  bigint PRIMARY KEY,
  bytes bigint NOT NULL
) WITH (fillfactor = 20);

INSERT INTO held SELECT part, 0 FROM generate_series(0, 63) AS part;

-- The gateways that write here, as long as they say so.
CREATE TABLE gateways (
  id    text COLLATE "C" PRIMARY KEY,
  home  text COLLATE "C" NOT NULL,  -- the same for every process of one installation, one after the other
  since timestamptz NOT NULL,       -- without a gap
  until timestamptz NOT NULL
);
