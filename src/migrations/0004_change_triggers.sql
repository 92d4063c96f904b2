-- The triggers that write the change log. The WHEN clause of each update trigger lists the columns that a verify depends
-- on. Updates of other columns write nothing: in particular, a usage flush fires no trigger. The clause sees the row as it
-- is stored, whatever other triggers have made of it.

CREATE FUNCTION sophra_api_keys.note_change() RETURNS trigger
LANGUAGE plpgsql
-- A role that may write keys needs no rights on the change log.
SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO sophra_api_keys.changes (key_id) VALUES (NULL);
  ELSE
    IF TG_OP <> 'INSERT' THEN
      INSERT INTO sophra_api_keys.changes (key_id) VALUES (OLD."id");
    END IF;
    IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW."id" <> OLD."id") THEN
      INSERT INTO sophra_api_keys.changes (key_id) VALUES (NEW."id");
    END IF;
  END IF;
  PERFORM pg_notify('sophra_api_keys', '');
  RETURN NULL;
END
$$;

CREATE TRIGGER sophra_api_keys_change
AFTER INSERT OR DELETE ON "ApiKey"
FOR EACH ROW EXECUTE FUNCTION sophra_api_keys.note_change();

CREATE TRIGGER sophra_api_keys_update
AFTER UPDATE ON "ApiKey"
FOR EACH ROW
WHEN (
  (
    OLD."id" IS DISTINCT FROM NEW."id"
    OR OLD."clientId" IS DISTINCT FROM NEW."clientId"
    OR OLD."name" IS DISTINCT FROM NEW."name"
    OR OLD."isActive" IS DISTINCT FROM NEW."isActive"
    OR OLD."expiresAt" IS DISTINCT FROM NEW."expiresAt"
    OR OLD."allowedIps" IS DISTINCT FROM NEW."allowedIps"
    OR OLD."rateLimit" IS DISTINCT FROM NEW."rateLimit"
    OR OLD."scopes" IS DISTINCT FROM NEW."scopes"
    OR OLD."origins" IS DISTINCT FROM NEW."origins"
    OR OLD."roles" IS DISTINCT FROM NEW."roles"
    OR OLD."metadata" IS DISTINCT FROM NEW."metadata"
    OR OLD."rateLimitWindowSeconds" IS DISTINCT FROM NEW."rateLimitWindowSeconds"
    OR OLD."limits" IS DISTINCT FROM NEW."limits"
    OR OLD."quotas" IS DISTINCT FROM NEW."quotas"
    OR OLD."suspendedUntil" IS DISTINCT FROM NEW."suspendedUntil"
    OR OLD."revokedAt" IS DISTINCT FROM NEW."revokedAt"
    OR OLD."limiterEpoch" IS DISTINCT FROM NEW."limiterEpoch"
    OR OLD."previousKey" IS DISTINCT FROM NEW."previousKey"
    OR OLD."previousLookup" IS DISTINCT FROM NEW."previousLookup"
    OR OLD."previousKeyExpiresAt" IS DISTINCT FROM NEW."previousKeyExpiresAt"
    OR (OLD."key", OLD."lookup") IS DISTINCT FROM (NEW."key", NEW."lookup")
      -- The import of a legacy row is no change: the plaintext is replaced by its hash, and the key stays the same.
      AND (
        OLD."lookup" IS NULL
        AND NEW."key" LIKE '$argon2id$%'
        AND NEW."lookup" = 'sha256:' || encode(sophra_api_keys.plaintext_digest(OLD."key"), 'hex')
      ) IS NOT TRUE
  )
  -- Not of the rows that "revoke_keys" revokes, which it logs itself. What a trigger of the app changes meanwhile is logged.
  AND NOT (
    OLD."revokedAt" IS NULL AND NEW."revokedAt" IS NOT NULL AND pg_trigger_depth() = 0
    AND current_setting('sophra_api_keys.logged_by', true) IS NOT DISTINCT FROM pg_current_xact_id_if_assigned()::text
  )
)
EXECUTE FUNCTION sophra_api_keys.note_change();

CREATE TRIGGER sophra_api_keys_truncate
AFTER TRUNCATE ON "ApiKey"
FOR EACH STATEMENT EXECUTE FUNCTION sophra_api_keys.note_change();

CREATE TRIGGER sophra_api_keys_change
AFTER INSERT OR DELETE ON "AdminToken"
FOR EACH ROW EXECUTE FUNCTION sophra_api_keys.note_change();

CREATE TRIGGER sophra_api_keys_update
AFTER UPDATE ON "AdminToken"
FOR EACH ROW
WHEN (
  OLD."id" IS DISTINCT FROM NEW."id"
  OR OLD."name" IS DISTINCT FROM NEW."name"
  OR OLD."isActive" IS DISTINCT FROM NEW."isActive"
  OR OLD."expiresAt" IS DISTINCT FROM NEW."expiresAt"
  -- Permissions that the import derives from the name are a change too: another writer may narrow them while it imports.
  OR OLD."permissions" IS DISTINCT FROM NEW."permissions"
  OR (OLD."token", OLD."lookup") IS DISTINCT FROM (NEW."token", NEW."lookup")
    -- Nor is this import a change.
    AND (
      OLD."lookup" IS NULL
      AND NEW."token" = NEW."lookup"
      AND NEW."lookup" = 'sha256:' || encode(sophra_api_keys.plaintext_digest(OLD."token"), 'hex')
    ) IS NOT TRUE
)
EXECUTE FUNCTION sophra_api_keys.note_change();

CREATE TRIGGER sophra_api_keys_truncate
AFTER TRUNCATE ON "AdminToken"
FOR EACH STATEMENT EXECUTE FUNCTION sophra_api_keys.note_change();

CREATE TRIGGER sophra_api_keys_probe
AFTER UPDATE OF probed_at ON sophra_api_keys.change_log
FOR EACH ROW EXECUTE FUNCTION sophra_api_keys.note_change();

-- Replication and tools that switch triggers off must not hide a change.
ALTER TABLE "ApiKey"
  ENABLE ALWAYS TRIGGER sophra_api_keys_change,
  ENABLE ALWAYS TRIGGER sophra_api_keys_update,
  ENABLE ALWAYS TRIGGER sophra_api_keys_truncate;
ALTER TABLE sophra_api_keys.change_log ENABLE ALWAYS TRIGGER sophra_api_keys_probe;
ALTER TABLE "AdminToken"
  ENABLE ALWAYS TRIGGER sophra_api_keys_change,
  ENABLE ALWAYS TRIGGER sophra_api_keys_update,
  ENABLE ALWAYS TRIGGER sophra_api_keys_truncate;
