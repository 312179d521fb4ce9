CREATE TABLE keys (
  id                  text COLLATE "C" PRIMARY KEY,
  digest              bytea  NOT NULL UNIQUE,  -- of the secret, which is kept nowhere
  holder              text COLLATE "C" NOT NULL,
  name                text   NOT NULL,
  scopes              text   NOT NULL,  -- joined by spaces
  created_ms          bigint NOT NULL,
  last_used_ms        bigint NOT NULL,
  expires_ms          bigint NOT NULL,
  revoked_ms          bigint NOT NULL,
  requests_per_minute bigint NOT NULL,
  concurrent          bigint NOT NULL,
  runs_per_day        bigint NOT NULL
);

-- Counted apart from the runs, so that removing a run gives nothing back.
CREATE TABLE uses (
  subject text COLLATE "C" NOT NULL,
  day     bigint NOT NULL,  -- since 1970, UTC
  count   bigint NOT NULL,
  PRIMARY KEY (subject, day)
);
