-- Who still uses a replaced key, whether its successor has arrived, and keys that nobody uses any more. A flush writes the uses
-- along with "lastUsedAt", so no index may be on them.

ALTER TABLE "ApiKey"
  -- The last use of the previous key since it was replaced.
  ADD COLUMN IF NOT EXISTS "previousKeyLastUsedAt" TIMESTAMP(3),
  -- The first use of the current key. NULL: there was none since its creation, or since the rotation.
  ADD COLUMN IF NOT EXISTS "currentKeyFirstUsedAt" TIMESTAMP(3),
  -- The last rotation. NULL: there was none.
  ADD COLUMN IF NOT EXISTS "rotatedAt" TIMESTAMP(3),
  -- The address of the last use. NULL: unknown, or none was to be stored.
  ADD COLUMN IF NOT EXISTS "lastUsedIp" TEXT,
  -- After how many days without use the key is refused. NULL: what is configured.
  ADD COLUMN IF NOT EXISTS "maxIdleDays" INTEGER;

CREATE TRIGGER sophra_api_keys_idle_update
AFTER UPDATE ON "ApiKey"
FOR EACH ROW
WHEN (OLD."maxIdleDays" IS DISTINCT FROM NEW."maxIdleDays")
EXECUTE FUNCTION sophra_api_keys.note_change();
-- For lists: the copy of its use says when it is idle.
CREATE TRIGGER sophra_api_keys_relisted
AFTER UPDATE ON "ApiKey"
FOR EACH ROW
WHEN (OLD."maxIdleDays" IS DISTINCT FROM NEW."maxIdleDays")
EXECUTE FUNCTION sophra_api_keys.note_key();
ALTER TABLE "ApiKey"
  ENABLE ALWAYS TRIGGER sophra_api_keys_idle_update,
  ENABLE ALWAYS TRIGGER sophra_api_keys_relisted;

-- A number that stands for the current key of a row. It stays the same when a legacy row is imported.
CREATE FUNCTION sophra_api_keys.key_number(lookup TEXT, key TEXT) RETURNS BIGINT
LANGUAGE sql IMMUTABLE
AS $$
  SELECT hashtextextended(
    coalesce(lookup, 'sha256:' || encode(sophra_api_keys.plaintext_digest(key), 'hex')), 0
  )
$$;

-- The milliseconds since a key was last used, created or rotated; at most 20 years.
CREATE FUNCTION sophra_api_keys.unused_ms(last_used_at TIMESTAMP, created_at TIMESTAMP, rotated_at TIMESTAMP) RETURNS BIGINT
LANGUAGE sql STABLE
AS $$
  SELECT (extract(epoch FROM now() AT TIME ZONE 'UTC' - greatest(
    least(greatest(coalesce(last_used_at, created_at), rotated_at), now() AT TIME ZONE 'UTC'),
    now() AT TIME ZONE 'UTC' - interval '20 years'
  )) * 1000)::bigint
$$;

-- An instant in UTC, in milliseconds after the beginning of 1970; NULL if it is none.
CREATE FUNCTION sophra_api_keys.milliseconds_of(instant TIMESTAMP) RETURNS BIGINT
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE WHEN isfinite(instant) THEN (extract(epoch FROM instant) * 1000)::bigint END
$$;

-- The fewest days after which some key is idle; NULL if none ever is.
CREATE FUNCTION sophra_api_keys.fewest_idle_days(configured INTEGER) RETURNS INTEGER
LANGUAGE sql STABLE
AS $$
  SELECT least(configured, (SELECT min("maxIdleDays") FROM "ApiKey"))
$$;

-- What a flush had to tell of rotations, for the process that has to ask again.
ALTER TABLE sophra_api_keys.usage_batches ADD COLUMN notices JSONB;

-- Keys of which a replaced key was presented after its grace period, and when that was last told.
CREATE TABLE sophra_api_keys.reused_keys (
  key_id TEXT PRIMARY KEY,
  told_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  -- The report that was told, so that it can be repeated.
  report TEXT NOT NULL
);
