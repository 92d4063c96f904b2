-- Keys of other programs, of which only hashes are known. Until such a key is used for the first time, "key" holds
-- `$import$…`, which stands for the foreign hash: it is no plaintext. "lookup" finds the row: `sha256:` and the digest of the key, as
-- of an adopted one, or `import:`, what finds it, the separator in hex, and what is found.

DROP TRIGGER sophra_api_keys_plaintext ON "ApiKey";
CREATE TRIGGER sophra_api_keys_plaintext
BEFORE INSERT OR UPDATE OF "key", "lookup" ON "ApiKey"
FOR EACH ROW
WHEN (NEW."key" NOT LIKE '$argon2id$%' AND NEW."key" NOT LIKE '$import$%')
EXECUTE FUNCTION sophra_api_keys.clear_columns(
  'lookup', 'start', 'signingKey', 'coldDigest',
  'previousKey', 'previousLookup', 'previousSigningKey', 'previousColdDigest', 'previousKeyExpiresAt'
);
ALTER TABLE "ApiKey" ENABLE ALWAYS TRIGGER sophra_api_keys_plaintext;

-- These two are built again, and leave imported keys out.
DROP INDEX IF EXISTS "ApiKey_lost_lookup_idx";
DROP INDEX IF EXISTS "ApiKey_stray_lookup_idx";

-- What was imported, also after its first use and after its deletion, so that it is not imported once more.
CREATE TABLE sophra_api_keys.imports (
  -- A digest of the stored hash, which says nothing of the key.
  identity BYTEA PRIMARY KEY,
  key_id TEXT NOT NULL,
  -- The key of an HMAC, sealed, until the imported key was used. It is not beside its hash.
  secret BYTEA
);
CREATE INDEX imports_secret_idx ON sophra_api_keys.imports (key_id) WHERE secret IS NOT NULL;

-- How the rows of imported keys are found, but for those that are found as adopted ones: what their lookups begin with.
CREATE TABLE sophra_api_keys.import_forms (
  form TEXT PRIMARY KEY,
  -- A hash of no key, of the same work as one of these.
  dummy TEXT NOT NULL
);

-- Forgets the key of an HMAC that is not needed any more.
CREATE FUNCTION sophra_api_keys.forget_import_secret() RETURNS trigger
LANGUAGE plpgsql
-- A role that may write keys needs no rights here.
SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
  IF TG_OP = 'DELETE'
    OR coalesce(NEW."key", '') NOT LIKE '$import$%$hmac-sha256$%'
    AND coalesce(NEW."previousKey", '') NOT LIKE '$import$%$hmac-sha256$%'
  THEN
    UPDATE sophra_api_keys.imports SET secret = NULL WHERE key_id = OLD."id" AND secret IS NOT NULL;
  END IF;
  RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION sophra_api_keys.forget_import_secret() FROM PUBLIC;

CREATE TRIGGER sophra_api_keys_import_secret
AFTER DELETE OR UPDATE OF "key", "previousKey" ON "ApiKey"
FOR EACH ROW
WHEN (OLD."key" LIKE '$import$%$hmac-sha256$%' OR OLD."previousKey" LIKE '$import$%$hmac-sha256$%')
EXECUTE FUNCTION sophra_api_keys.forget_import_secret();
ALTER TABLE "ApiKey" ENABLE ALWAYS TRIGGER sophra_api_keys_import_secret;

-- Imports a key. Returns `imported`, `skipped`, or why neither.
CREATE FUNCTION sophra_api_keys.import_key(item JSONB, most_forms INTEGER) RETURNS TEXT
LANGUAGE plpgsql
AS $$
DECLARE
  new_id CONSTANT TEXT := item -> 'row' ->> 'id';
  new_lookup CONSTANT TEXT := item -> 'row' ->> 'lookup';
  new_identity CONSTANT BYTEA := decode(item ->> 'identity', 'hex');
  new_form TEXT;
  new_dummy TEXT;
  known TEXT;
  of_row JSONB := item -> 'row';
BEGIN
  SELECT key_id INTO known FROM sophra_api_keys.imports WHERE identity = new_identity;
  IF FOUND THEN
    -- The answer to an earlier try was lost, or it was imported before.
    RETURN CASE WHEN known = new_id AND (item -> 'isNew')::boolean THEN 'imported' ELSE 'skipped' END;
  END IF;
  -- A key that was replaced here is not brought back. A prefix is free again when the grace period of its key has ended.
  SELECT "id" INTO known FROM "ApiKey"
  WHERE "lookup" = new_lookup
    OR "previousLookup" = new_lookup
      AND (new_lookup NOT LIKE 'import:row:%' OR "previousKeyExpiresAt" > now() AT TIME ZONE 'UTC')
  LIMIT 1;
  IF FOUND THEN
    RETURN CASE WHEN known = new_id OR new_lookup NOT LIKE 'import:row:%' THEN 'skipped'
      ELSE 'has the prefix or id of another imported key, so that it cannot be found' END;
  END IF;
  -- The same key, in plaintext.
  IF new_lookup LIKE 'sha256:%' AND EXISTS (
    SELECT FROM "ApiKey"
    WHERE "lookup" IS NULL AND sophra_api_keys.plaintext_digest("key") = decode(substr(new_lookup, 8), 'hex')
  ) THEN
    RETURN 'skipped';
  END IF;
  IF EXISTS (SELECT FROM "ApiKey" WHERE "id" = new_id) THEN
    RETURN 'id must not be that of another key';
  END IF;
  IF of_row ->> 'revokedAt' IS NULL AND NOT sophra_api_keys.client_has_room(of_row ->> 'clientId') THEN
    RETURN 'clientId must be a client with fewer keys than its maxKeys';
  END IF;
  IF sophra_api_keys.missing_role(ARRAY(SELECT jsonb_array_elements_text(of_row -> 'roles'))) IS NOT NULL THEN
    RETURN 'roles must be roles that were set before';
  END IF;
  -- The previous key of an exported one is found in a form, too.
  FOR new_form, new_dummy IN
    VALUES (item ->> 'form', item ->> 'dummy'), (substring(of_row ->> 'previousLookup' FROM '^import:[^:]+:[^:]*:'), '')
  LOOP
    CONTINUE WHEN new_form IS NULL OR EXISTS (SELECT FROM sophra_api_keys.import_forms WHERE form = new_form);
    IF (SELECT count(*) FROM sophra_api_keys.import_forms) >= most_forms THEN
      RETURN format('hash.part must be one of at most %s forms that all imported keys have', most_forms);
    END IF;
    INSERT INTO sophra_api_keys.import_forms (form, dummy) VALUES (new_form, new_dummy) ON CONFLICT DO NOTHING;
  END LOOP;
  INSERT INTO sophra_api_keys.imports (identity, key_id, secret)
  VALUES (new_identity, new_id, decode(item ->> 'secret', 'base64'))
  ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    -- Another session has imported it meanwhile.
    RETURN 'skipped';
  END IF;
  of_row := of_row || (
    SELECT coalesce(jsonb_object_agg(column_name, to_jsonb(sophra_api_keys.instant_at(of_row ->> column_name))), '{}')
    FROM unnest(ARRAY[
      'expiresAt', 'createdAt', 'updatedAt', 'lastUsedAt', 'suspendedUntil', 'revokedAt', 'rotatedAt', 'previousKeyExpiresAt',
      'previousKeyLastUsedAt', 'currentKeyFirstUsedAt'
    ]) AS column_name
    WHERE of_row ->> column_name IS NOT NULL
  );
  INSERT INTO "ApiKey" (
    "id", "name", "clientId", "description", "isActive", "expiresAt", "createdAt", "updatedAt", "lastUsedAt", "allowedIps",
    "origins", "rateLimit", "rateLimitWindowSeconds", "limits", "quotas", "usageCount", "createdBy", "scopes", "roles",
    "metadata", "suspendedUntil", "revokedAt", "revokedBy", "revokedReason", "wasActive", "maxIdleDays", "rotatedAt",
    "key", "lookup", "start", "signingKey", "previousKey", "previousLookup", "previousSigningKey", "previousKeyExpiresAt"
  )
  SELECT
    new."id", new."name", new."clientId", new."description", new."isActive", new."expiresAt", new."createdAt", new."updatedAt",
    new."lastUsedAt", new."allowedIps", new."origins", new."rateLimit", new."rateLimitWindowSeconds", nullif(new."limits", '[]'),
    nullif(new."quotas", '[]'), new."usageCount", new."createdBy", new."scopes", new."roles", new."metadata",
    new."suspendedUntil", new."revokedAt", new."revokedBy", new."revokedReason", new."wasActive", new."maxIdleDays",
    new."rotatedAt", new."key", new."lookup", new."start", new."signingKey", new."previousKey", new."previousLookup",
    new."previousSigningKey", new."previousKeyExpiresAt"
  FROM jsonb_populate_record(NULL::"ApiKey", of_row) AS new
  ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    DELETE FROM sophra_api_keys.imports WHERE identity = new_identity;
    RETURN 'must not be the same as another key';
  END IF;
  RETURN 'imported';
END
$$;

-- An instant as inputs have it. One that they cannot have, as `infinity`, becomes the nearest: without it, a key that has expired or is
-- suspended would be accepted.
CREATE FUNCTION sophra_api_keys.instant_text(instant TIMESTAMP) RETURNS TEXT
LANGUAGE sql STABLE
AS $$
  SELECT CASE WHEN instant IS NOT NULL THEN
    to_char(least(greatest(instant, '0001-01-01'), '9999-12-31 23:59:59.999'), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') END
$$;

-- What is asked for about imports, as `name` says.
CREATE FUNCTION sophra_api_keys.import_call(name TEXT, input JSONB) RETURNS JSONB
LANGUAGE plpgsql
AS $$
DECLARE
  -- An answer for each item.
  nothing CONSTANT JSONB := (SELECT jsonb_agg(NULL::text) FROM jsonb_array_elements(input -> 'items'));
  most_forms CONSTANT INTEGER := input -> 'mostForms';
  answer JSONB := nothing;
  item RECORD;
BEGIN
  CASE name
    WHEN 'import_keys' THEN
      PERFORM sophra_api_keys.told(input ->> 'actor');
      -- Usually no row is refused, and one transaction takes all of them. In the same order everywhere, so that imports that meet
      -- wait for each other, and not in a circle.
      BEGIN
        FOR item IN
          SELECT value, (place - 1)::text AS place
          FROM jsonb_array_elements(input -> 'items') WITH ORDINALITY AS items (value, place)
          ORDER BY value ->> 'identity'
        LOOP
          answer := jsonb_set(answer, ARRAY[item.place], to_jsonb(sophra_api_keys.import_key(item.value, most_forms)));
        END LOOP;
        RETURN answer;
      EXCEPTION WHEN integrity_constraint_violation OR data_exception OR raise_exception OR program_limit_exceeded THEN
        answer := nothing;
      END;
      FOR item IN
        SELECT value, (place - 1)::text AS place
        FROM jsonb_array_elements(input -> 'items') WITH ORDINALITY AS items (value, place)
        ORDER BY value ->> 'identity'
      LOOP
        BEGIN
          answer := jsonb_set(answer, ARRAY[item.place], to_jsonb(sophra_api_keys.import_key(item.value, most_forms)));
        EXCEPTION WHEN integrity_constraint_violation OR data_exception OR raise_exception OR program_limit_exceeded THEN
          -- Without the text, which may quote what was stored.
          answer := jsonb_set(
            answer, ARRAY[item.place], to_jsonb(format('was refused by the database (SQLSTATE %s)', SQLSTATE))
          );
        END;
      END LOOP;
      RETURN answer;
    WHEN 'import_forms' THEN
      RETURN (SELECT jsonb_object_agg(form, dummy) FROM sophra_api_keys.import_forms);
    WHEN 'import_secret' THEN
      RETURN (
        SELECT to_jsonb(replace(encode(secret, 'base64'), E'\n', '')) FROM sophra_api_keys.imports
        WHERE key_id = input ->> 'id' AND secret IS NOT NULL
        LIMIT 1
      );
    WHEN 'export_keys' THEN
      RETURN (
        SELECT coalesce(jsonb_agg(pg_catalog.jsonb_build_object(
          'id', key."id", 'name', key."name", 'clientId', key."clientId", 'description', key."description",
          'isActive', coalesce(key."isActive", false), 'expiresAt', sophra_api_keys.instant_text(key."expiresAt"),
          'createdAt', sophra_api_keys.instant_text(key."createdAt"),
          'lastUsedAt', sophra_api_keys.instant_text(key."lastUsedAt"),
          'allowedIps', coalesce(to_jsonb(key."allowedIps"), '[]'), 'origins', key."origins",
          'rateLimit', CASE WHEN key."rateLimit" >= 1 THEN key."rateLimit" END,
          'rateLimitWindowSeconds', key."rateLimitWindowSeconds", 'limits', coalesce(key."limits", '[]'),
          'quotas', coalesce(key."quotas", '[]'), 'usageCount', key."usageCount", 'createdBy', key."createdBy",
          'scopes', key."scopes", 'roles', key."roles", 'metadata', key."metadata",
          'suspendedUntil', sophra_api_keys.instant_text(key."suspendedUntil"),
          'revokedAt', sophra_api_keys.instant_text(key."revokedAt"), 'revokedBy', key."revokedBy",
          'revokedReason', key."revokedReason", 'maxIdleDays', key."maxIdleDays"
        ) || CASE WHEN (input -> 'hashes')::boolean THEN pg_catalog.jsonb_build_object('stored', pg_catalog.jsonb_build_object(
          -- No plaintext is exported, also where a lookup was left beside it: its digest finds the key as well.
          'key', CASE WHEN key.is_hashed THEN key."key" ELSE
            '$import$whole$sha256' || repeat('$', 3) || rtrim(encode(sophra_api_keys.plaintext_digest(key."key"), 'base64'), '=') END,
          'lookup', CASE WHEN key.is_hashed THEN key."lookup" ELSE
            'sha256:' || encode(sophra_api_keys.plaintext_digest(key."key"), 'hex') END,
          'start', key."start", 'signingKey', key."signingKey", 'wasActive', key."wasActive",
          'rotatedAt', sophra_api_keys.instant_text(key."rotatedAt"),
          'previousKey', key."previousKey", 'previousLookup', key."previousLookup",
          'previousSigningKey', key."previousSigningKey",
          'previousKeyExpiresAt', sophra_api_keys.instant_text(key."previousKeyExpiresAt"),
          'secret', (
            SELECT replace(encode(secret, 'base64'), E'\n', '') FROM sophra_api_keys.imports
            WHERE key_id = key."id" AND secret IS NOT NULL LIMIT 1
          )
        )) ELSE '{}' END ORDER BY key."id"), '[]')
        FROM (
          SELECT *, "lookup" IS NOT NULL AND ("key" LIKE '$argon2id$%' OR "key" LIKE '$import$%') AS is_hashed
          FROM "ApiKey" WHERE "id" > input ->> 'after' ORDER BY "id" LIMIT (input -> 'limit')::integer
        ) AS key
      );
  END CASE;
END
$$;
