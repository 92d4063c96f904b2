-- What all processes together have used of the rate limits. Each adds its part with its usage, and learns what the
-- others have added.

CREATE TABLE sophra_api_keys.spent (
  key_id TEXT PRIMARY KEY,
  -- "limiterEpoch" under which it was used: a later one has forgiven it.
  epoch INTEGER NOT NULL,
  -- Costs, ever rising within an epoch.
  spent BIGINT NOT NULL,
  -- When all of it has returned, for a process that has not followed the sum. UTC.
  full_at TIMESTAMP(3) NOT NULL
-- Room for the next version of each row, and no index on what changes: an update touches the page alone (HOT).
) WITH (fillfactor = 50);
