-- What has happened: refused attempts, administration, suspensions. Written in batches, kept for the configured time.

CREATE TABLE sophra_api_keys.audit (
  -- Made before it is written, so that a batch can be repeated.
  id TEXT PRIMARY KEY,
  -- UTC.
  at TIMESTAMP(3) NOT NULL,
  type TEXT NOT NULL,
  key_id TEXT,
  -- So many alike, of which this is the first.
  count BIGINT NOT NULL,
  -- The event as it was told.
  event JSONB NOT NULL
);
CREATE INDEX audit_at_idx ON sophra_api_keys.audit (at, id);
CREATE INDEX audit_key_idx ON sophra_api_keys.audit (key_id, at, id);
CREATE INDEX audit_type_idx ON sophra_api_keys.audit (type, at, id);
