-- Adoption: a row of an old instance, whose "lookup" is NULL, gets a hash in the place of its plaintext, and the digest
-- of the plaintext as its lookup. The key stays the same key, so that is no change to whoever has cached it.
-- Admin tokens are cached too from here on: their changes are logged like those of keys.

DROP TRIGGER IF EXISTS sophra_api_keys_update ON "ApiKey";
CREATE TRIGGER sophra_api_keys_update
AFTER UPDATE ON "ApiKey"
FOR EACH ROW
WHEN (
  (
    OLD."id", OLD."key", OLD."clientId", OLD."name", OLD."isActive", OLD."expiresAt", OLD."allowedIps",
    OLD."rateLimit", OLD."lookup", OLD."scopes", OLD."metadata", OLD."rateLimitWindowSeconds",
    OLD."suspendedUntil", OLD."limiterEpoch", OLD."previousKey", OLD."previousLookup",
    OLD."previousKeyExpiresAt"
  ) IS DISTINCT FROM (
    NEW."id", NEW."key", NEW."clientId", NEW."name", NEW."isActive", NEW."expiresAt", NEW."allowedIps",
    NEW."rateLimit", NEW."lookup", NEW."scopes", NEW."metadata", NEW."rateLimitWindowSeconds",
    NEW."suspendedUntil", NEW."limiterEpoch", NEW."previousKey", NEW."previousLookup",
    NEW."previousKeyExpiresAt"
  )
  -- Whoever writes another lookup than the digest of what stood there has changed the key.
  AND NOT (
    OLD."lookup" IS NULL
    AND NEW."lookup" IS NOT NULL
    AND NEW."lookup" = 'sha256:' || encode(sha256(replace(OLD."key", E'\\', E'\\\\')::bytea), 'hex')
    AND NEW."key" LIKE '$argon2id$%'
    AND (
      OLD."id", OLD."clientId", OLD."name", OLD."isActive", OLD."expiresAt", OLD."allowedIps",
      OLD."rateLimit", OLD."scopes", OLD."metadata", OLD."rateLimitWindowSeconds",
      OLD."suspendedUntil", OLD."limiterEpoch", OLD."previousKey", OLD."previousLookup",
      OLD."previousKeyExpiresAt"
    ) IS NOT DISTINCT FROM (
      NEW."id", NEW."clientId", NEW."name", NEW."isActive", NEW."expiresAt", NEW."allowedIps",
      NEW."rateLimit", NEW."scopes", NEW."metadata", NEW."rateLimitWindowSeconds",
      NEW."suspendedUntil", NEW."limiterEpoch", NEW."previousKey", NEW."previousLookup",
      NEW."previousKeyExpiresAt"
    )
  )
)
EXECUTE FUNCTION sophra_api_keys.note_change();

DROP TRIGGER IF EXISTS sophra_api_keys_change ON "AdminToken";
CREATE TRIGGER sophra_api_keys_change
AFTER INSERT OR DELETE ON "AdminToken"
FOR EACH ROW EXECUTE FUNCTION sophra_api_keys.note_change();

DROP TRIGGER IF EXISTS sophra_api_keys_update ON "AdminToken";
CREATE TRIGGER sophra_api_keys_update
AFTER UPDATE ON "AdminToken"
FOR EACH ROW
WHEN (
  (
    OLD."id", OLD."token", OLD."name", OLD."isActive", OLD."permissions", OLD."lookup", OLD."expiresAt"
  ) IS DISTINCT FROM (
    NEW."id", NEW."token", NEW."name", NEW."isActive", NEW."permissions", NEW."lookup", NEW."expiresAt"
  )
  -- Adoption stores the permissions that were derived from the name before.
  AND NOT (
    OLD."lookup" IS NULL
    AND NEW."lookup" IS NOT NULL
    AND NEW."lookup" = 'sha256:' || encode(sha256(replace(OLD."token", E'\\', E'\\\\')::bytea), 'hex')
    AND NEW."token" = NEW."lookup"
    AND (OLD."permissions" IS NULL OR NEW."permissions" IS NOT DISTINCT FROM OLD."permissions")
    AND (OLD."id", OLD."name", OLD."isActive", OLD."expiresAt")
      IS NOT DISTINCT FROM (NEW."id", NEW."name", NEW."isActive", NEW."expiresAt")
  )
)
EXECUTE FUNCTION sophra_api_keys.note_change();

DROP TRIGGER IF EXISTS sophra_api_keys_truncate ON "AdminToken";
CREATE TRIGGER sophra_api_keys_truncate
AFTER TRUNCATE ON "AdminToken"
FOR EACH STATEMENT EXECUTE FUNCTION sophra_api_keys.note_change();

ALTER TABLE "ApiKey" ENABLE ALWAYS TRIGGER sophra_api_keys_update;
ALTER TABLE "AdminToken"
  ENABLE ALWAYS TRIGGER sophra_api_keys_change,
  ENABLE ALWAYS TRIGGER sophra_api_keys_update,
  ENABLE ALWAYS TRIGGER sophra_api_keys_truncate;
