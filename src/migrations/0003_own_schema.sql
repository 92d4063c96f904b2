-- The tables and functions of this package alone, in a schema of their own that neither the app nor Prisma looks into.

CREATE TABLE sophra_api_keys.signing_keys (
  fingerprint TEXT PRIMARY KEY,
  -- NULL: the key comes from the environment, or was lost. The fingerprint records that it has signed keys.
  key BYTEA,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- At most one signing key is generated, whichever process comes first.
CREATE UNIQUE INDEX one_kept_signing_key ON sophra_api_keys.signing_keys ((true)) WHERE key IS NOT NULL;

-- The fingerprint of a signing key, as every process computes it.
CREATE FUNCTION sophra_api_keys.signing_key_fingerprint(key BYTEA) RETURNS TEXT
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
  SELECT pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(
    pg_catalog.convert_to('sophra-api-keys/signing-key-fingerprint/v1', 'UTF8') || '\x00'::pg_catalog.bytea || key
  ), 'hex'), 16)
$$;

-- Fingerprints of the signing keys that were ever stored in the table above. They are still in its backups, so no cold
-- digest may be made under them, even after somebody has moved them to the environment.
CREATE TABLE sophra_api_keys.exposed_signing_keys (
  fingerprint TEXT PRIMARY KEY
);

CREATE FUNCTION sophra_api_keys.note_signing_key() RETURNS trigger
LANGUAGE plpgsql
-- A role that may write signing keys needs no right to write here.
SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
  -- By its value, whatever the row calls it.
  INSERT INTO sophra_api_keys.exposed_signing_keys (fingerprint)
  VALUES (sophra_api_keys.signing_key_fingerprint(NEW.key))
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION sophra_api_keys.note_signing_key() FROM PUBLIC;

CREATE TRIGGER sophra_api_keys_exposed
AFTER INSERT OR UPDATE ON sophra_api_keys.signing_keys
FOR EACH ROW
WHEN (NEW.key IS NOT NULL)
EXECUTE FUNCTION sophra_api_keys.note_signing_key();
ALTER TABLE sophra_api_keys.signing_keys ENABLE ALWAYS TRIGGER sophra_api_keys_exposed;

-- This schema can be lost while the keys survive, for example when only the schema of the app is restored. The signing
-- keys are then known to be missing, and a verify fails with an error instead of refusing every key.
INSERT INTO sophra_api_keys.signing_keys (fingerprint)
SELECT "signingKey" FROM "ApiKey" WHERE "signingKey" IS NOT NULL
UNION
SELECT "previousSigningKey" FROM "ApiKey" WHERE "previousSigningKey" IS NOT NULL;

-- One row per process: the last batch of usage that was applied, so that no batch is applied twice.
CREATE TABLE sophra_api_keys.usage_batches (
  process TEXT PRIMARY KEY,
  -- The last one whose uses were added to the rows of the keys.
  batch BIGINT NOT NULL DEFAULT 0,
  -- The last one whose costs were added to "spent".
  spent_batch BIGINT NOT NULL DEFAULT 0,
  -- Keys of the batch whose rows were locked by another session. Their usage was left out and comes with a later batch.
  skipped TEXT[] NOT NULL DEFAULT '{}',
  applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- What all processes together have used of the rate limits. Each process adds its part with its usage, and reads what the
-- others have added.
CREATE TABLE sophra_api_keys.spent (
  -- key/<id>/<name> or client/<id>/<name>.
  limit_id TEXT PRIMARY KEY,
  -- The "limiterEpoch" of the key at that time. A higher one has reset the limit.
  epoch INTEGER NOT NULL,
  -- The sum of all costs; it only grows within an epoch.
  spent BIGINT NOT NULL,
  -- When the limit is full again, for a process that has not followed the sum. UTC, by the clock of the server, since
  -- those of the processes may be wrong.
  full_at TIMESTAMP(3) NOT NULL,
  -- The nanoseconds after which one unit is available again, by the limit as it was at that time.
  interval_ns BIGINT NOT NULL CHECK (interval_ns > 0),
  -- The longest time, in nanoseconds, for which use beyond the limit locks a key out.
  longest_ns BIGINT NOT NULL
-- Free space for the next version of each row, and no index on the columns that change: updates are HOT.
) WITH (fillfactor = 50);

-- Creations of keys with an idempotency key, known for a day: one statement claims it and inserts the key. Digests only,
-- since the text and the input are the caller's.
CREATE TABLE sophra_api_keys.idempotency_keys (
  -- Of the actor and the text.
  digest BYTEA PRIMARY KEY,
  input BYTEA NOT NULL,
  key_id TEXT NOT NULL,
  used_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX idempotency_keys_key_id_idx ON sophra_api_keys.idempotency_keys (key_id);
CREATE INDEX idempotency_keys_used_at_idx ON sophra_api_keys.idempotency_keys (used_at);

-- Refused attempts, administration and suspensions. Written in batches, kept for the configured time.
CREATE TABLE sophra_api_keys.audit (
  -- Generated before the entry is written, so that a batch can be repeated.
  id TEXT PRIMARY KEY,
  -- UTC.
  at TIMESTAMP(3) NOT NULL,
  type TEXT NOT NULL,
  key_id TEXT,
  -- The number of similar events that this entry, the first of them, stands for.
  count BIGINT NOT NULL,
  -- The event as it was emitted.
  event JSONB NOT NULL
);
CREATE INDEX audit_at_idx ON sophra_api_keys.audit (at, id);
CREATE INDEX audit_key_idx ON sophra_api_keys.audit (key_id, at, id);
CREATE INDEX audit_type_idx ON sophra_api_keys.audit (type, at, id);

-- The change log: one row per change of a key or an admin token, by whichever writer, so that each process knows which of
-- its cached rows are stale. Written by triggers, read once a second and after each NOTIFY.
CREATE TABLE sophra_api_keys.changes (
  -- The transaction that made the change. It is compared with snapshots, so the order of commits does not matter.
  xid XID8 NOT NULL DEFAULT pg_current_xact_id(),
  -- The id of the row. NULL stands for all rows.
  key_id TEXT
);
CREATE INDEX changes_xid_idx ON sophra_api_keys.changes (xid);

-- What the log says about itself, in one row. The first process that reads the log writes it.
CREATE TABLE sophra_api_keys.change_log (
  one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
  -- New when the log is begun anew: a position in another log means nothing in this one.
  id TEXT NOT NULL DEFAULT gen_random_uuid()::text,
  -- The system identifier of the server whose transactions are in the log. A log that was restored into another server
  -- holds transaction ids which that server assigns again.
  system BIGINT NOT NULL,
  -- Changes by earlier transactions may have been deleted. Written by the statement that deletes them.
  pruned_before XID8 NOT NULL,
  -- Set once a minute by some process. A trigger logs it like a change, and every process looks whether it arrives.
  probed_at TIMESTAMPTZ
);

-- The SHA-256 digest of a plaintext, by which legacy rows are found. Index expressions and a trigger call this function
-- with the rights of whoever writes "ApiKey" or "AdminToken". Such a role may have no rights on this schema, so everyone
-- may execute the function. Every name in it is qualified, because the search_path is the writer's. It is written in
-- PL/pgSQL because the planner would parse a function in SQL anew for every query in order to inline it.
CREATE FUNCTION sophra_api_keys.plaintext_digest(plaintext TEXT) RETURNS BYTEA
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
BEGIN
  -- The cast takes a backslash for the start of an escape sequence.
  RETURN pg_catalog.sha256(pg_catalog.replace(plaintext, E'\\', E'\\\\')::pg_catalog.bytea);
END
$$;
GRANT EXECUTE ON FUNCTION sophra_api_keys.plaintext_digest(TEXT) TO PUBLIC;

-- The nanoseconds until an instant in UTC; 0 if it has passed. An instant beyond all limits counts as two years.
CREATE FUNCTION sophra_api_keys.nanoseconds_until(instant TIMESTAMP) RETURNS BIGINT
LANGUAGE sql STABLE
AS $$
  SELECT (extract(epoch FROM
    least(greatest(instant, now() AT TIME ZONE 'UTC'), now() AT TIME ZONE 'UTC' + interval '2 years')
      - now() AT TIME ZONE 'UTC') * 1000000000)::bigint
$$;

-- The nanoseconds since an instant in UTC; 0 if it is still to come, and at most two years.
CREATE FUNCTION sophra_api_keys.nanoseconds_since(instant TIMESTAMP) RETURNS BIGINT
LANGUAGE sql STABLE
AS $$
  SELECT (extract(epoch FROM now() AT TIME ZONE 'UTC'
    - greatest(least(instant, now() AT TIME ZONE 'UTC'), now() AT TIME ZONE 'UTC' - interval '2 years')
    ) * 1000000000)::bigint
$$;

-- The instant in UTC after so many nanoseconds.
CREATE FUNCTION sophra_api_keys.instant_in(nanoseconds DOUBLE PRECISION) RETURNS TIMESTAMP
LANGUAGE sql STABLE
AS $$
  SELECT now() AT TIME ZONE 'UTC' + nanoseconds / 1000 * interval '1 microsecond'
$$;

-- What all processes have used of the limits in a list of one owner, as far as any of it may not be available again.
CREATE FUNCTION sophra_api_keys.fleet_totals(owner TEXT, limits JSONB) RETURNS JSONB
LANGUAGE plpgsql STABLE STRICT
AS $$
BEGIN
  -- Another writer may store any JSON.
  IF jsonb_typeof(limits) <> 'array' THEN
    RETURN NULL;
  END IF;
  RETURN (
    SELECT jsonb_agg(pg_catalog.jsonb_build_object(
      'limitId', limit_id,
      'generation', epoch,
      'total', spent,
      'debtNs', sophra_api_keys.nanoseconds_until(full_at),
      'intervalNs', interval_ns
    ))
    FROM sophra_api_keys.spent
    WHERE limit_id = ANY (ARRAY(SELECT owner || (entry ->> 'name') FROM jsonb_array_elements(limits) AS entry))
  );
END
$$;

-- The text that a search compares: it differs from the plain text in its case, whatever the locale of the database. The
-- collation is chosen here, once, for the index as well as for the queries. Postgres 17 and newer has "pg_c_utf8" in UTF-8
-- databases, and every server that is built with ICU has "und-x-icu"; only a server with neither depends on the locale of its
-- database. The text goes through upper case because the Greek sigma has two lower cases, of which only one is left.
DO $$
DECLARE
  folding TEXT := 'pg_catalog.lower(pg_catalog.upper(plain COLLATE pg_catalog.%I))';
  candidate TEXT;
BEGIN
  IF pg_catalog.getdatabaseencoding() = 'UTF8' THEN
    folding := 'pg_catalog.translate(' || folding || $sigma$, E'\u03C2', E'\u03C3')$sigma$;
  END IF;
  FOREACH candidate IN ARRAY ARRAY['pg_c_utf8', 'und-x-icu', 'default'] LOOP
    BEGIN
      EXECUTE 'CREATE FUNCTION sophra_api_keys.folded(plain TEXT) RETURNS TEXT
        LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
        AS $function$ BEGIN RETURN ' || pg_catalog.format(folding, candidate) || '; END $function$';
      -- Fails if there is no such collation.
      EXECUTE $test$SELECT sophra_api_keys.folded('x')$test$;
      EXIT;
    EXCEPTION WHEN undefined_object OR feature_not_supported THEN
      IF candidate = 'default' THEN
        RAISE;
      END IF;
    END;
  END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION sophra_api_keys.folded(TEXT) TO PUBLIC;
