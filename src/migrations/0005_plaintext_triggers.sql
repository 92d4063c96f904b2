-- The triggers that keep this rule: a row that holds plaintext has no lookup. An older implementation, which knows only its
-- own columns, may write a new plaintext over a hash. The row is then a legacy row again, and what belonged to the replaced
-- credential is gone: its lookup, its digest and the previous key.

-- Sets the columns that the trigger names to NULL. A column that another tool has dropped is passed over, so that the app
-- can still write. The function has the rights of the writer, who needs none on this schema; every name is qualified,
-- because the search_path is the writer's.
CREATE FUNCTION sophra_api_keys.clear_columns() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  RETURN pg_catalog.jsonb_populate_record(
    NEW,
    (
      SELECT pg_catalog.jsonb_object_agg(cleared.name, NULL::pg_catalog.text)
      FROM pg_catalog.unnest(TG_ARGV) AS cleared (name)
    )
  );
END
$$;

CREATE TRIGGER sophra_api_keys_plaintext
BEFORE INSERT OR UPDATE OF "key", "lookup" ON "ApiKey"
FOR EACH ROW
WHEN (NEW."key" NOT LIKE '$argon2id$%')
EXECUTE FUNCTION sophra_api_keys.clear_columns(
  'lookup', 'start', 'signingKey', 'coldDigest',
  'previousKey', 'previousLookup', 'previousSigningKey', 'previousColdDigest', 'previousKeyExpiresAt'
);

CREATE TRIGGER sophra_api_keys_plaintext
BEFORE INSERT OR UPDATE OF "token", "lookup" ON "AdminToken"
FOR EACH ROW
WHEN (NEW."token" NOT LIKE 'sha256:%')
EXECUTE FUNCTION sophra_api_keys.clear_columns('lookup');

-- The expiry in the row of an issued token is the one that the token claims: it goes with the token, unless the writer has
-- set another. The permissions are the row's own, and stay.
CREATE TRIGGER sophra_api_keys_expiry
BEFORE UPDATE OF "token" ON "AdminToken"
FOR EACH ROW
WHEN (
  OLD."token" LIKE 'sha256:%'
  AND NEW."token" NOT LIKE 'sha256:%'
  AND NEW."expiresAt" IS NOT DISTINCT FROM OLD."expiresAt"
)
EXECUTE FUNCTION sophra_api_keys.clear_columns('expiresAt');

-- Replication and tools that switch triggers off must not leave a lookup beside plaintext.
ALTER TABLE "ApiKey" ENABLE ALWAYS TRIGGER sophra_api_keys_plaintext;
ALTER TABLE "AdminToken"
  ENABLE ALWAYS TRIGGER sophra_api_keys_plaintext,
  ENABLE ALWAYS TRIGGER sophra_api_keys_expiry;

-- Whoever may use a trigger function may attach it to a table of their own: the one that writes the change log with the
-- rights of its owner would then log what is no change. Firing needs no right, so writers of the app's tables have none.
REVOKE EXECUTE ON FUNCTION sophra_api_keys.note_change(), sophra_api_keys.clear_columns() FROM PUBLIC;
