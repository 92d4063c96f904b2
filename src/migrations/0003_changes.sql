-- Every change of a key, by whichever writer, so that each process can tell what it has cached from what has changed.
-- Written by triggers; read once a second and after each NOTIFY. What a verify does not depend on is no change: usage
-- above all: the flush fires nothing.

CREATE TABLE sophra_api_keys.changes (
  -- Of the transaction that made the change: compared with snapshots, so that the order of commits does not matter.
  xid XID8 NOT NULL DEFAULT pg_current_xact_id(),
  -- NULL: all keys.
  key_id TEXT
);
CREATE INDEX changes_xid_idx ON sophra_api_keys.changes (xid);

CREATE FUNCTION sophra_api_keys.note_change() RETURNS trigger
LANGUAGE plpgsql
-- Whoever may write keys need not have rights on the log.
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

-- By what the row is after the update, whatever other triggers made of it.
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
)
EXECUTE FUNCTION sophra_api_keys.note_change();

CREATE TRIGGER sophra_api_keys_truncate
AFTER TRUNCATE ON "ApiKey"
FOR EACH STATEMENT EXECUTE FUNCTION sophra_api_keys.note_change();

-- Replication and tools that switch triggers off must not hide a change.
ALTER TABLE "ApiKey"
  ENABLE ALWAYS TRIGGER sophra_api_keys_change,
  ENABLE ALWAYS TRIGGER sophra_api_keys_update,
  ENABLE ALWAYS TRIGGER sophra_api_keys_truncate;
