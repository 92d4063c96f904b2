-- Many keys that were changed at once, by one statement of this package. A process of an older version takes such a row for a change
-- of all keys.
ALTER TABLE sophra_api_keys.changes ADD COLUMN key_ids TEXT[];

-- Revokes the keys of a filter that are not revoked, and returns how many they are, and their ids. A dry run only counts them. If they
-- are another number than expected, the caller rolls back: most often nothing was changed then.
CREATE FUNCTION sophra_api_keys.revoke_keys(
  filter JSONB, reason TEXT, note TEXT, actor TEXT, at TIMESTAMP, expected BIGINT, is_dry_run BOOLEAN,
  OUT count BIGINT, OUT ids TEXT[]
)
LANGUAGE plpgsql
AS $$
DECLARE
  conditions RECORD;
  chosen TEXT;
BEGIN
  -- By the row itself: the copy of its use may be behind, or lack the key.
  conditions := sophra_api_keys.key_conditions(filter, 'coalesce(key."lastUsedAt", key."createdAt")');
  chosen := format(
    'key."revokedAt" IS NULL AND %s AND %s',
    conditions.known,
    coalesce(conditions.guessed, 'true')
  );
  IF is_dry_run OR expected IS NOT NULL THEN
    EXECUTE 'SELECT count(*) FROM "ApiKey" AS key WHERE ' || chosen INTO revoke_keys.count;
    IF is_dry_run OR revoke_keys.count <> expected THEN
      RETURN;
    END IF;
  END IF;
  -- A row that somebody has locked must not hold up changes of all the others.
  PERFORM set_config('lock_timeout', '2s', true);
  -- One after the other: two that lock the same keys in another order would wait for each other.
  PERFORM pg_advisory_xact_lock(hashtextextended('sophra_api_keys.revoke_keys', 0));
  PERFORM set_config('sophra_api_keys.logged_by', pg_current_xact_id()::text, true);
  EXECUTE format(
    $statement$
    WITH
      revoked AS (
        UPDATE "ApiKey" AS key SET
          "wasActive" = coalesce(key."isActive", false),
          "isActive" = false,
          "updatedAt" = $1,
          "revokedAt" = $1,
          "revokedBy" = $2,
          "revokedReason" = $3
        WHERE %s
        RETURNING key."id", key."name", key."clientId"
      ),
      recorded AS (
        INSERT INTO sophra_api_keys.audit (id, at, type, key_id, count, event)
        -- In the order of the ids of keys, with ids that follow each other: entries are then indexed side by side.
        SELECT concat_ws('-', $5, lpad((row_number() OVER (ORDER BY "id"))::text, 10, '0')), $1, 'key.revoked', "id", 1, jsonb_strip_nulls(jsonb_build_object(
          'type', 'key.revoked', 'keyId', "id", 'name', "name", 'clientId', "clientId", 'reason', $3, 'note', $4, 'actor', $2
        ))
        FROM revoked
        ORDER BY "id"
      )
    SELECT count(*), array_agg("id") FROM revoked
    $statement$,
    chosen
  )
  INTO revoke_keys.count, revoke_keys.ids
  USING at, actor, reason, note, gen_random_uuid();
  PERFORM set_config('sophra_api_keys.logged_by', '', true);
  IF revoke_keys.count > 0 THEN
    INSERT INTO sophra_api_keys.changes (key_ids) VALUES (revoke_keys.ids);
    PERFORM pg_notify('sophra_api_keys', '');
    PERFORM sophra_api_keys.note_bulk_revocation(revoke_keys.count, reason, note, actor);
  END IF;
END
$$;
