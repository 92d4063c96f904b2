-- Who is signed in to the console, and the codes that sign in once. Both are random, and only their digests are stored.

CREATE TABLE sophra_api_keys.console_sessions (
  digest TEXT PRIMARY KEY,
  -- The admin token that it stands for, and the digest of this token: after a rotation the row has another one.
  token_id TEXT NOT NULL,
  lookup TEXT NOT NULL,
  ends_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX console_sessions_token_idx ON sophra_api_keys.console_sessions (token_id, ends_at);
CREATE INDEX console_sessions_ends_at_idx ON sophra_api_keys.console_sessions (ends_at);

CREATE TABLE sophra_api_keys.console_codes (
  digest TEXT PRIMARY KEY,
  token_id TEXT NOT NULL,
  lookup TEXT NOT NULL,
  ends_at TIMESTAMPTZ NOT NULL
);

-- An admin token as the console shows it, if it is valid now: by the rules of the package for a presented token.
CREATE FUNCTION sophra_api_keys.console_token(of_id TEXT, of_lookup TEXT) RETURNS JSONB
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  utc CONSTANT TIMESTAMP := clock_timestamp() AT TIME ZONE 'UTC';
BEGIN
  RETURN (
    SELECT pg_catalog.jsonb_build_object(
      'tokenId', "id",
      'name', coalesce("name", ''),
      'permissions', CASE
        WHEN "permissions" IS NOT NULL THEN to_jsonb(array_remove("permissions", NULL))
        WHEN "lookup" IS NOT NULL THEN '[]'::jsonb
      END,
      'until', floor(extract(epoch FROM (CASE WHEN "previousLookup" = of_lookup
        THEN least("previousTokenExpiresAt", "previousExpiresAt") ELSE "expiresAt" END) AT TIME ZONE 'UTC') * 1000)::bigint
    )
    FROM "AdminToken"
    WHERE "id" = of_id AND "isActive" AND (
      (
        coalesce("lookup", 'sha256:' || encode(sophra_api_keys.plaintext_digest("token"), 'hex')) = of_lookup
        AND ("expiresAt" IS NULL OR "expiresAt" > utc)
      )
      OR (
        "previousLookup" = of_lookup AND "previousTokenExpiresAt" > utc
        AND ("previousExpiresAt" IS NULL OR "previousExpiresAt" > utc)
      )
    )
  );
END
$$;

-- A session and whom it stands for; NULL if it has ended.
CREATE FUNCTION sophra_api_keys.find_console_session(of_digest TEXT) RETURNS JSONB
LANGUAGE sql STABLE
AS $$
  SELECT found.token || pg_catalog.jsonb_build_object(
    'endsAt', least((found.token ->> 'until')::bigint, floor(extract(epoch FROM found.ends_at) * 1000)::bigint)
  )
  FROM (
    SELECT ends_at, sophra_api_keys.console_token(token_id, lookup) AS token
    FROM sophra_api_keys.console_sessions
    WHERE digest = of_digest AND ends_at > clock_timestamp()
  ) AS found
$$;

-- Opens a session for a valid admin token, and makes room for it: each token has at most 100, of which the oldest end first.
CREATE FUNCTION sophra_api_keys.open_console_session(new_digest TEXT, of_id TEXT, of_lookup TEXT, until TIMESTAMPTZ) RETURNS JSONB
LANGUAGE plpgsql
AS $$
BEGIN
  IF sophra_api_keys.console_token(of_id, of_lookup) IS NULL THEN
    RETURN NULL;
  END IF;
  DELETE FROM sophra_api_keys.console_sessions WHERE digest = ANY (ARRAY(
    SELECT digest FROM sophra_api_keys.console_sessions WHERE ends_at <= clock_timestamp()
    ORDER BY ends_at LIMIT 1000 FOR UPDATE SKIP LOCKED
  ));
  DELETE FROM sophra_api_keys.console_sessions WHERE digest = ANY (ARRAY(
    SELECT digest FROM sophra_api_keys.console_sessions WHERE token_id = of_id
    ORDER BY ends_at DESC, digest OFFSET 99 FOR UPDATE SKIP LOCKED
  ));
  INSERT INTO sophra_api_keys.console_sessions (digest, token_id, lookup, ends_at)
  VALUES (new_digest, of_id, of_lookup, least(until, clock_timestamp() + interval '12 hours'))
  ON CONFLICT DO NOTHING;
  RETURN sophra_api_keys.find_console_session(new_digest);
END
$$;

-- Opens a session by a code, which ends with this.
CREATE FUNCTION sophra_api_keys.redeem_console_code(code TEXT, new_digest TEXT, until TIMESTAMPTZ) RETURNS JSONB
LANGUAGE plpgsql
AS $$
DECLARE
  -- The first try may have succeeded though its answer was lost.
  opened JSONB := sophra_api_keys.find_console_session(new_digest);
  used sophra_api_keys.console_codes;
BEGIN
  IF opened IS NOT NULL THEN
    RETURN opened;
  END IF;
  DELETE FROM sophra_api_keys.console_codes WHERE digest = code AND ends_at > clock_timestamp() RETURNING * INTO used;
  RETURN sophra_api_keys.open_console_session(new_digest, used.token_id, used.lookup, until);
END
$$;

-- Stores a code for five minutes: for this admin token, or else for the newest that is valid, of those that may do everything if there
-- are any. NULL: there is none. A token whose expiry the row does not have could outlive it here.
CREATE FUNCTION sophra_api_keys.make_console_code(new_digest TEXT, of_id TEXT) RETURNS JSONB
LANGUAGE plpgsql
AS $$
DECLARE
  token RECORD;
BEGIN
  SELECT "id" AS id, "name" AS name, "lookup" AS lookup INTO token
  FROM "AdminToken"
  WHERE "isActive" AND "lookup" IS NOT NULL AND "expiresAt" > clock_timestamp() AT TIME ZONE 'UTC'
    AND (of_id IS NULL OR "id" = of_id)
  ORDER BY coalesce('*' = ANY ("permissions"), false) DESC, "createdAt" DESC, "id" DESC
  LIMIT 1;
  IF token.id IS NULL THEN
    RETURN NULL;
  END IF;
  DELETE FROM sophra_api_keys.console_codes WHERE ends_at <= clock_timestamp() OR digest IN (
    SELECT digest FROM sophra_api_keys.console_codes ORDER BY ends_at DESC, digest OFFSET 999
  );
  INSERT INTO sophra_api_keys.console_codes (digest, token_id, lookup, ends_at)
  VALUES (new_digest, token.id, token.lookup, clock_timestamp() + interval '5 minutes')
  ON CONFLICT DO NOTHING;
  RETURN pg_catalog.jsonb_build_object('tokenId', token.id, 'name', coalesce(token.name, ''));
END
$$;

-- The ids of clients that have keys but no settings, in their order. Each step skips all keys of a client; after so many steps the
-- page ends, though it may not be full.
CREATE FUNCTION sophra_api_keys.list_bare_clients(search TEXT, after TEXT, most INTEGER) RETURNS JSONB
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  steps CONSTANT INTEGER := 5000;
  step INTEGER := 0;
  at TEXT := after;
  found TEXT[] := '{}';
BEGIN
  LOOP
    IF at IS NULL THEN
      SELECT key."clientId" INTO at FROM "ApiKey" AS key ORDER BY key."clientId" LIMIT 1;
    ELSE
      SELECT key."clientId" INTO at FROM "ApiKey" AS key WHERE key."clientId" > at ORDER BY key."clientId" LIMIT 1;
    END IF;
    EXIT WHEN at IS NULL;
    IF (search IS NULL OR strpos(sophra_api_keys.folded(at), sophra_api_keys.folded(search)) > 0)
      AND NOT EXISTS (SELECT FROM sophra_api_keys.clients WHERE client_id = at) THEN
      found := found || at;
    END IF;
    step := step + 1;
    EXIT WHEN step >= steps OR cardinality(found) >= most;
  END LOOP;
  RETURN pg_catalog.jsonb_build_object('ids', to_jsonb(found), 'nextCursor', at);
END
$$;

-- Quotas of which most is used in the current period, at most so many, the fullest first.
CREATE FUNCTION sophra_api_keys.list_full_quotas(most INTEGER) RETURNS JSONB
LANGUAGE sql STABLE
AS $$
  SELECT coalesce(jsonb_agg(pg_catalog.jsonb_build_object(
    'owner', split_part(quota_id, '/', 1), 'ownerId', owner_id, 'name', quota_name, 'used', spent, 'amount', amount,
    'resetsAt', CASE WHEN isfinite(ends_at) THEN floor(extract(epoch FROM ends_at) * 1000)::bigint END
  ) ORDER BY part DESC, quota_id), '[]')
  FROM (
    SELECT listed.*, terms.amount, listed.spent / greatest(terms.amount, 1)::float8 AS part
    FROM (
      SELECT quota_id, spent, ends_at,
        substring(quota_id FROM '^[^/]*/(.*)/[^/]*$') AS owner_id, substring(quota_id FROM '[^/]*$') AS quota_name
      FROM sophra_api_keys.quota_balances
      WHERE granted IS NULL AND ends_at > clock_timestamp()
      -- So many are looked at.
      LIMIT 2000
    ) AS listed
    CROSS JOIN LATERAL sophra_api_keys.quota_terms(split_part(quota_id, '/', 1), owner_id, quota_name, clock_timestamp()) AS terms
    WHERE terms.fault IS NULL AND listed.spent >= 0.8 * terms.amount
    ORDER BY part DESC
    LIMIT most
  ) AS full_ones
$$;

-- All that the console asks about itself: one statement for all of it. NULL, false: there is no such thing.
CREATE FUNCTION sophra_api_keys.console_call(name TEXT, input JSONB) RETURNS JSONB
LANGUAGE plpgsql
AS $$
DECLARE
  until CONSTANT TIMESTAMPTZ := to_timestamp((input ->> 'until')::float8 / 1000);
  of_token TEXT;
BEGIN
  CASE name
    WHEN 'open_console_session' THEN
      RETURN sophra_api_keys.open_console_session(input ->> 'digest', input ->> 'tokenId', input ->> 'lookup', until);
    WHEN 'redeem_console_code' THEN
      RETURN sophra_api_keys.redeem_console_code(input ->> 'code', input ->> 'digest', until);
    WHEN 'find_console_session' THEN
      RETURN sophra_api_keys.find_console_session(input ->> 'digest');
    WHEN 'end_console_session' THEN
      DELETE FROM sophra_api_keys.console_sessions WHERE digest = input ->> 'digest' RETURNING token_id INTO of_token;
      RETURN to_jsonb(of_token);
    WHEN 'make_console_code' THEN
      RETURN sophra_api_keys.make_console_code(input ->> 'digest', input ->> 'tokenId');
    WHEN 'list_bare_clients' THEN
      RETURN sophra_api_keys.list_bare_clients(input ->> 'search', input ->> 'after', (input ->> 'most')::integer);
    WHEN 'list_full_quotas' THEN
      RETURN sophra_api_keys.list_full_quotas((input ->> 'most')::integer);
  END CASE;
END
$$;
