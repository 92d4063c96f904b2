-- Tokens that are derived from keys: what signs them, and which are still alive.

CREATE TABLE sophra_api_keys.token_keys (
  kid TEXT PRIMARY KEY,
  public_key BYTEA NOT NULL CHECK (octet_length(public_key) = 32),
  -- Sealed under a secret of the environment. NULL once it signs no more.
  private_key BYTEA,
  created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
-- One key signs.
CREATE UNIQUE INDEX token_keys_signer_idx ON sophra_api_keys.token_keys ((true)) WHERE private_key IS NOT NULL;

-- When the last token ends that was derived from a key and signed by a token key. It refers to neither with a foreign key: tokens
-- outlive their key.
CREATE TABLE sophra_api_keys.derived_tokens (
  key_id TEXT NOT NULL,
  kid TEXT NOT NULL,
  ends_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (key_id, kid)
);
CREATE INDEX derived_tokens_ends_at_idx ON sophra_api_keys.derived_tokens (ends_at);
CREATE INDEX derived_tokens_kid_idx ON sophra_api_keys.derived_tokens (kid, ends_at);

-- Whether a token may still be accepted somewhere, though clocks differ by a few seconds.
CREATE FUNCTION sophra_api_keys.may_live(ends_at TIMESTAMPTZ) RETURNS BOOLEAN
LANGUAGE sql STABLE
AS $$
  SELECT ends_at > now() - interval '5 seconds'
$$;

-- The key that signs, and those whose tokens live: [{ "kid", "public", "private" }], in base64.
CREATE FUNCTION sophra_api_keys.list_token_keys() RETURNS JSONB
LANGUAGE sql STABLE
AS $$
  SELECT coalesce(jsonb_agg(pg_catalog.jsonb_build_object(
    'kid', kid,
    'public', encode(public_key, 'base64'),
    'private', translate(encode(private_key, 'base64'), E'\n', '')
  ) ORDER BY created_at DESC, kid), '[]')
  FROM sophra_api_keys.token_keys AS known
  WHERE private_key IS NOT NULL OR EXISTS (
    SELECT FROM sophra_api_keys.derived_tokens AS token WHERE token.kid = known.kid AND sophra_api_keys.may_live(token.ends_at)
  )
$$;

-- Has a new key sign in place of `replaced`, or of any, unless another one does by now. The private part of the old one is forgotten,
-- its public part stays until its tokens have ended. Returns all keys; NULL if there are too many whose tokens live.
CREATE FUNCTION sophra_api_keys.replace_token_key(new_kid TEXT, public BYTEA, private BYTEA, replaced TEXT, is_any BOOLEAN) RETURNS JSONB
LANGUAGE plpgsql
AS $$
DECLARE
  signer TEXT;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('sophra_api_keys.token_keys', 0));
  SELECT kid INTO signer FROM sophra_api_keys.token_keys WHERE private_key IS NOT NULL;
  -- The first try may have succeeded though its answer was lost.
  IF signer IS DISTINCT FROM new_kid AND (is_any OR signer IS NOT DISTINCT FROM replaced) THEN
    IF jsonb_array_length(sophra_api_keys.list_token_keys()) >= 100 THEN
      RETURN NULL;
    END IF;
    UPDATE sophra_api_keys.token_keys SET private_key = NULL WHERE kid = signer;
    DELETE FROM sophra_api_keys.token_keys AS known
    WHERE private_key IS NULL AND NOT EXISTS (
      SELECT FROM sophra_api_keys.derived_tokens AS token WHERE token.kid = known.kid AND sophra_api_keys.may_live(token.ends_at)
    );
    INSERT INTO sophra_api_keys.token_keys (kid, public_key, private_key) VALUES (new_kid, public, private);
  END IF;
  RETURN sophra_api_keys.list_token_keys();
END
$$;

-- Notes until when a token lives that was signed just now. Returns whether its signer still signs: if not, nobody may get the token.
CREATE FUNCTION sophra_api_keys.note_token(of_key TEXT, of_kid TEXT, until TIMESTAMPTZ) RETURNS BOOLEAN
LANGUAGE plpgsql
AS $$
BEGIN
  -- Whoever replaces the signer waits for this, and sees the token.
  PERFORM FROM sophra_api_keys.token_keys WHERE kid = of_kid AND private_key IS NOT NULL FOR SHARE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  INSERT INTO sophra_api_keys.derived_tokens AS known (key_id, kid, ends_at) VALUES (of_key, of_kid, until)
  ON CONFLICT (key_id, kid) DO UPDATE SET ends_at = excluded.ends_at WHERE known.ends_at < excluded.ends_at;
  -- Each new token makes room for another one.
  DELETE FROM sophra_api_keys.derived_tokens AS ended
  USING (
    SELECT key_id, kid FROM sophra_api_keys.derived_tokens
    WHERE ends_at < now() - interval '1 minute' ORDER BY ends_at LIMIT 20 FOR UPDATE SKIP LOCKED
  ) AS old
  WHERE ended.key_id = old.key_id AND ended.kid = old.kid;
  RETURN true;
END
$$;

-- What finds the row of a key by its id, and what the key begins with: the lookup, or the digest of the plaintext of a legacy row in base64. NULL without a row.
CREATE FUNCTION sophra_api_keys.lookup_of(of_key TEXT) RETURNS JSONB
LANGUAGE sql STABLE
AS $$
  SELECT pg_catalog.jsonb_build_object(
    'lookup', "lookup",
    'start', "start",
    'digest', CASE WHEN "lookup" IS NULL THEN encode(sophra_api_keys.plaintext_digest("key"), 'base64') END
  )
  FROM "ApiKey" WHERE "id" = of_key
$$;

-- The keys with living tokens that may not be used any more, or are gone.
CREATE FUNCTION sophra_api_keys.revoked_parents() RETURNS JSONB
LANGUAGE sql STABLE
AS $$
  WITH RECURSIVE refused (client_id, depth) AS (
    SELECT client_id, 1 FROM sophra_api_keys.clients WHERE NOT is_active
    UNION
    SELECT client.client_id, above.depth + 1
    FROM refused AS above JOIN sophra_api_keys.clients AS client ON client.parent_id = above.client_id
    WHERE above.depth < 3
  )
  SELECT coalesce(jsonb_agg(DISTINCT token.key_id), '[]')
  FROM sophra_api_keys.derived_tokens AS token
  LEFT JOIN "ApiKey" AS key ON key."id" = token.key_id
  WHERE sophra_api_keys.may_live(token.ends_at) AND (
    key."id" IS NULL OR key."revokedAt" IS NOT NULL OR key."isActive" IS NOT TRUE
    OR key."expiresAt" <= now() AT TIME ZONE 'UTC'
    OR key."clientId" IN (SELECT client_id FROM refused)
  )
$$;

-- All that the package asks about derived tokens: one statement for all of it.
CREATE FUNCTION sophra_api_keys.token_call(name TEXT, input JSONB) RETURNS JSONB
LANGUAGE plpgsql
AS $$
BEGIN
  CASE name
    WHEN 'list_token_keys' THEN
      RETURN sophra_api_keys.list_token_keys();
    WHEN 'replace_token_key' THEN
      RETURN sophra_api_keys.replace_token_key(
        input ->> 'kid', decode(input ->> 'public', 'base64'), decode(input ->> 'private', 'base64'), input ->> 'replaced',
        (input ->> 'isAny')::boolean
      );
    WHEN 'note_token' THEN
      RETURN to_jsonb(sophra_api_keys.note_token(
        input ->> 'keyId', input ->> 'kid', to_timestamp((input ->> 'expiresAt')::bigint)
      ));
    WHEN 'lookup_of_key' THEN
      RETURN sophra_api_keys.lookup_of(input ->> 'id');
    WHEN 'revoked_parents' THEN
      RETURN sophra_api_keys.revoked_parents();
  END CASE;
END
$$;
