CREATE TABLE deliveries (
  seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id       text COLLATE "C" NOT NULL UNIQUE,
  run      text COLLATE "C" NOT NULL,
  caller   text COLLATE "C" NOT NULL,
  url      text COLLATE "C" NOT NULL,
  body     bytea  NOT NULL,
  attempts bigint NOT NULL,
  next_ms  bigint NOT NULL,
  state    text COLLATE "C" NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
  error    bytea  NOT NULL,
  taker    text COLLATE "C" NOT NULL  -- the gateway that has it in hand; empty: none
);

CREATE INDEX ON deliveries (next_ms) WHERE state = 'pending';
CREATE INDEX ON deliveries (run);
