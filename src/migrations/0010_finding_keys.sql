-- The use of each key, once more: lists are sorted and filtered by it, and no index may be on a column of "ApiKey" that a flush
-- writes. A new key has its row at once, by a trigger; use is copied later, by "copy_key_usage".
CREATE TABLE sophra_api_keys.key_usage (
  key_id TEXT PRIMARY KEY,
  -- UTC, as in "ApiKey".
  last_used_at TIMESTAMP(3),
  usage_count BIGINT NOT NULL,
  -- The last use; of a key that was never used, its creation.
  unused_since TIMESTAMP(3) NOT NULL,
  -- When it is idle by its own "maxIdleDays"; later if it was rotated since.
  idle_at TIMESTAMP(3)
);
CREATE INDEX key_usage_last_used_idx ON sophra_api_keys.key_usage (last_used_at, key_id);
CREATE INDEX key_usage_count_idx ON sophra_api_keys.key_usage (usage_count, key_id);
CREATE INDEX key_usage_unused_idx ON sophra_api_keys.key_usage (unused_since, key_id);
CREATE INDEX key_usage_idle_idx ON sophra_api_keys.key_usage (idle_at, key_id) WHERE idle_at IS NOT NULL;

-- The keys that a flush has written, by the third of a minute in which it began: their use is still to be copied.
CREATE TABLE sophra_api_keys.used_keys (
  round BIGINT NOT NULL,
  key_id TEXT NOT NULL,
  PRIMARY KEY (round, key_id)
);

CREATE FUNCTION sophra_api_keys.note_key() RETURNS trigger
LANGUAGE plpgsql
-- A role that may write keys needs no rights on the table.
SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
  -- A session keeps the types of the columns that this function names, and "usageCount" may be widened meanwhile.
  listed JSONB;
  since TIMESTAMP;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    DELETE FROM sophra_api_keys.key_usage;
    RETURN NULL;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    DELETE FROM sophra_api_keys.key_usage WHERE key_id = OLD."id";
  END IF;
  IF TG_OP <> 'DELETE' THEN
    listed := to_jsonb(NEW);
    since := coalesce((listed ->> 'lastUsedAt')::timestamp, (listed ->> 'createdAt')::timestamp, now() AT TIME ZONE 'UTC');
    INSERT INTO sophra_api_keys.key_usage (key_id, last_used_at, usage_count, unused_since, idle_at)
    VALUES (
      NEW."id",
      (listed ->> 'lastUsedAt')::timestamp,
      coalesce((listed ->> 'usageCount')::bigint, 0),
      since,
      since + (listed ->> 'maxIdleDays')::integer * interval '24 hours'
    )
    ON CONFLICT (key_id) DO UPDATE SET
      last_used_at = excluded.last_used_at, usage_count = excluded.usage_count, unused_since = excluded.unused_since,
      idle_at = excluded.idle_at;
  END IF;
  RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION sophra_api_keys.note_key() FROM PUBLIC;

CREATE TRIGGER sophra_api_keys_listed
AFTER INSERT OR DELETE OR UPDATE OF "id" ON "ApiKey"
FOR EACH ROW EXECUTE FUNCTION sophra_api_keys.note_key();

CREATE TRIGGER sophra_api_keys_unlisted
AFTER TRUNCATE ON "ApiKey"
FOR EACH STATEMENT EXECUTE FUNCTION sophra_api_keys.note_key();

ALTER TABLE "ApiKey"
  ENABLE ALWAYS TRIGGER sophra_api_keys_listed,
  ENABLE ALWAYS TRIGGER sophra_api_keys_unlisted;

-- Up to which id all keys were compared with the table; NULL: to the end.
CREATE TABLE sophra_api_keys.key_usage_sweep (
  one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
  swept_to TEXT
);
INSERT INTO sophra_api_keys.key_usage_sweep DEFAULT VALUES;

-- Copies the use of these keys, and lists those that are missing. Rows that somebody has locked are left as they are.
CREATE FUNCTION sophra_api_keys.list_usage(ids TEXT[]) RETURNS VOID
LANGUAGE plpgsql
AS $$
BEGIN
  INSERT INTO sophra_api_keys.key_usage (key_id, last_used_at, usage_count, unused_since, idle_at)
  SELECT key."id", key."lastUsedAt", coalesce(key."usageCount", 0),
    coalesce(key."lastUsedAt", key."createdAt", now() AT TIME ZONE 'UTC'),
    coalesce(key."lastUsedAt", key."createdAt", now() AT TIME ZONE 'UTC') + key."maxIdleDays" * interval '24 hours'
  FROM "ApiKey" AS key
  WHERE key."id" = ANY (ids)
    AND NOT EXISTS (SELECT FROM sophra_api_keys.key_usage AS usage WHERE usage.key_id = key."id")
  ON CONFLICT DO NOTHING;
  UPDATE sophra_api_keys.key_usage AS usage SET
    last_used_at = key."lastUsedAt",
    usage_count = coalesce(key."usageCount", 0),
    unused_since = coalesce(key."lastUsedAt", key."createdAt", usage.unused_since),
    idle_at = coalesce(key."lastUsedAt", key."createdAt", usage.unused_since) + key."maxIdleDays" * interval '24 hours'
  FROM "ApiKey" AS key
  WHERE key."id" = usage.key_id
    AND (usage.last_used_at, usage.usage_count, usage.unused_since) IS DISTINCT FROM (
      key."lastUsedAt", coalesce(key."usageCount", 0)::bigint, coalesce(key."lastUsedAt", key."createdAt", usage.unused_since)
    )
    AND usage.key_id = ANY (ARRAY(
      SELECT free.key_id FROM sophra_api_keys.key_usage AS free WHERE free.key_id = ANY (ids) ORDER BY 1 FOR UPDATE SKIP LOCKED
    ));
END
$$;

-- Copies the use of keys that flushes have written. It leaves out the last rounds: a flush of one of these may not have ended
-- yet. Then it compares a part of all keys: other programs may have written their use, or keys while the trigger was off. Returns
-- whether there may be more written by flushes. One session copies at a time.
CREATE FUNCTION sophra_api_keys.copy_key_usage() RETURNS BOOLEAN
LANGUAGE plpgsql
AS $$
DECLARE
  part CONSTANT INTEGER := 5000;
  written TEXT[];
  compared TEXT[];
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('sophra_api_keys.used_keys', 0)) THEN
    RETURN false;
  END IF;
  WITH taken AS (
    DELETE FROM sophra_api_keys.used_keys
    WHERE (round, key_id) IN (
      SELECT round, key_id FROM sophra_api_keys.used_keys
      WHERE round < floor(extract(epoch FROM now()) / 20) - 1
      ORDER BY round, key_id
      LIMIT part
    )
    RETURNING key_id
  )
  SELECT array_agg(DISTINCT key_id) INTO written FROM taken;
  -- A statement of its own, which sees what was committed before the rows above were deleted.
  PERFORM sophra_api_keys.list_usage(written);
  IF cardinality(written) = part THEN
    RETURN true;
  END IF;
  SELECT array_agg("id") INTO compared FROM (
    SELECT "id" FROM "ApiKey"
    WHERE "id" > coalesce((SELECT swept_to FROM sophra_api_keys.key_usage_sweep), '')
    ORDER BY "id"
    LIMIT part
  ) AS next;
  PERFORM sophra_api_keys.list_usage(compared);
  UPDATE sophra_api_keys.key_usage_sweep
  SET swept_to = CASE WHEN cardinality(compared) = part THEN compared[part] END;
  RETURN false;
END
$$;

-- The conditions of a filter, for a statement about "ApiKey" AS key. "unused_since" is the expression for its last use, or else its
-- creation. Of the known ones the server can tell how many keys pass; of the others, which are NULL if there are none, it has to
-- guess. "indexed" says the same as the guessed ones, and more that an index can find.
CREATE FUNCTION sophra_api_keys.key_conditions(
  filter JSONB, unused_since TEXT, OUT known TEXT, OUT guessed TEXT, OUT indexed TEXT
)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  instant CONSTANT TIMESTAMP := sophra_api_keys.instant_at(filter ->> 'now');
  unrevoked CONSTANT TEXT := 'key."revokedAt" IS NULL AND ';
  enabled CONSTANT TEXT := unrevoked || 'coalesce(key."isActive", false) AND ';
  unexpired CONSTANT TEXT := enabled || format('coalesce(key."expiresAt" > %L, true) AND ', instant);
  idle_days CONSTANT INTEGER := CASE WHEN filter ->> 'status' IN ('expired', 'past', 'idle', 'suspended', 'active')
    THEN sophra_api_keys.fewest_idle_days((filter ->> 'maxIdleDays')::integer) END;
  -- NULL if no key is ever idle.
  idle CONSTANT TEXT := CASE WHEN idle_days IS NOT NULL THEN format(
    'coalesce(sophra_api_keys.unused_ms(key."lastUsedAt", key."createdAt", key."rotatedAt")'
      ' >= least(key."maxIdleDays", %L::integer) * 86400000::bigint, false)',
    filter ->> 'maxIdleDays'
  ) END;
  used CONSTANT TEXT := unexpired || coalesce('NOT ' || idle || ' AND ', '');
  scoped CONSTANT TEXT := '(' || sophra_api_keys.scope_condition('key."scopes"', filter);
  -- The roles that hold the scope. NULL if none does.
  holders TEXT[];
BEGIN
  IF scoped IS NOT NULL THEN
    EXECUTE 'SELECT array_agg(name) FROM sophra_api_keys.roles WHERE ' || sophra_api_keys.scope_condition('scopes', filter) INTO holders;
  END IF;
  known := concat_ws(
    ' AND ',
    'true',
    sophra_api_keys.condition('key."clientId" = %L', filter ->> 'clientId'),
    sophra_api_keys.condition('key."createdBy" = %L', filter ->> 'createdBy'),
    sophra_api_keys.condition('coalesce(key."isActive", false) = %L', filter ->> 'isActive'),
    sophra_api_keys.condition('key."expiresAt" < %L', sophra_api_keys.instant_at(filter ->> 'expiresBefore')::text),
    sophra_api_keys.condition('key."createdAt" >= %L', sophra_api_keys.instant_at(filter ->> 'createdAfter')::text),
    sophra_api_keys.condition('key."createdAt" < %L', sophra_api_keys.instant_at(filter ->> 'createdBefore')::text),
    sophra_api_keys.condition(unused_since || ' < %L', sophra_api_keys.instant_at(filter ->> 'unusedSince')::text),
    CASE filter ->> 'status'
      WHEN 'revoked' THEN 'key."revokedAt" IS NOT NULL'
      WHEN 'disabled' THEN unrevoked || 'NOT coalesce(key."isActive", false)'
      WHEN 'expired' THEN enabled || format(coalesce('(key."expiresAt" <= %L OR ' || idle || ')', 'key."expiresAt" <= %L'), instant)
      -- The two parts of 'expired', of which each has its index.
      WHEN 'past' THEN enabled || format('key."expiresAt" <= %L', instant)
      WHEN 'idle' THEN unexpired || 'true'
      WHEN 'suspended' THEN used || format('key."suspendedUntil" > %L', instant)
      WHEN 'active' THEN used || format('coalesce(key."suspendedUntil" <= %L, true)', instant)
    END,
    'key."id" = ANY (ARRAY(SELECT jsonb_array_elements_text(' || quote_literal(filter -> 'ids') || ')))'
  );
  guessed := nullif(concat_ws(
    ' AND ',
    sophra_api_keys.condition(
      'sophra_api_keys.folded(coalesce(key."name", '''') || E''\n'' || coalesce(key."description", ''''))'
        ' LIKE sophra_api_keys.folded(%L)',
      filter ->> 'search'
    ),
    sophra_api_keys.condition('key."metadata" @> %L', filter ->> 'metadata'),
    scoped || coalesce(
      sophra_api_keys.condition(' OR key."roles" <> ''{}'' AND key."roles" && %L', holders::text), ''
    ) || ')',
    CASE filter ->> 'status' WHEN 'idle' THEN idle END
  ), '');
  indexed := concat_ws(
    ' AND ',
    guessed,
    CASE filter ->> 'status' WHEN 'idle' THEN format(
      'key."id" = ANY (ARRAY(
        SELECT key_id FROM sophra_api_keys.key_usage WHERE idle_at <= %L
        UNION SELECT key_id FROM sophra_api_keys.key_usage WHERE unused_since <= %L
      ))',
      now() AT TIME ZONE 'UTC',
      now() AT TIME ZONE 'UTC' - (filter ->> 'maxIdleDays')::integer * interval '24 hours'
    ) END
  );
END
$$;

-- A condition on a value; NULL without the value.
CREATE FUNCTION sophra_api_keys.condition(pattern TEXT, value TEXT) RETURNS TEXT
LANGUAGE sql STABLE STRICT
AS $$
  SELECT format(pattern, value)
$$;

-- That a list of scopes holds what a filter asks for: it has one of some, or one that fits a pattern. NULL if it asks for none.
CREATE FUNCTION sophra_api_keys.scope_condition(held TEXT, filter JSONB) RETURNS TEXT
LANGUAGE sql STABLE
AS $$
  SELECT coalesce(
    sophra_api_keys.condition(
      held || ' && %L',
      (SELECT array_agg(scope) FROM jsonb_array_elements_text(nullif(filter -> 'scopes', 'null')) AS scope)::text
    ),
    sophra_api_keys.condition(
      'EXISTS (SELECT FROM unnest(' || held || ') AS scope WHERE scope ~ %L)', filter ->> 'scopePattern'
    )
  )
$$;

-- The instant in UTC so many milliseconds after the beginning of 1970.
CREATE FUNCTION sophra_api_keys.instant_at(milliseconds TEXT) RETURNS TIMESTAMP
LANGUAGE sql IMMUTABLE STRICT
AS $$
  SELECT timestamp 'epoch' + milliseconds::bigint * interval '1 millisecond'
$$;

-- An instant as the value of a cursor, exactly: microseconds after the beginning of 1970, or infinity.
CREATE FUNCTION sophra_api_keys.instant_value(instant TIMESTAMP) RETURNS TEXT
LANGUAGE sql IMMUTABLE STRICT
AS $$
  SELECT CASE
    WHEN isfinite(instant) THEN (extract(epoch FROM least(instant, timestamp '290000-01-01')) * 1000000)::bigint::text
    ELSE instant::text
  END
$$;

-- The instant of such a value.
CREATE FUNCTION sophra_api_keys.instant_of(value TEXT) RETURNS TIMESTAMP
LANGUAGE sql IMMUTABLE STRICT
AS $$
  SELECT CASE
    WHEN value IN ('infinity', '-infinity') THEN value::timestamp
    ELSE timestamp 'epoch' + value::bigint / 86400000000 * interval '1 day' + value::bigint % 86400000000 * interval '1 microsecond'
  END
$$;

-- The keys of a filter in an order, after the key with "after_id" and "after_value", at most so many. The values are those by
-- which they are sorted, times as "instant_value" has them. Keys without one come last in both directions. A page has few keys, so
-- each is looked up where its use is: any other join reads most of the table.
CREATE FUNCTION sophra_api_keys.find_keys(
  filter JSONB, sort TEXT, descending BOOLEAN, after_id TEXT, after_value TEXT, most INTEGER
) RETURNS TABLE (key_id TEXT, value TEXT)
LANGUAGE plpgsql STABLE ROWS 100
SET enable_mergejoin = off
SET enable_hashjoin = off
AS $$
DECLARE
  conditions RECORD;
  sorted_by CONSTANT TEXT := CASE sort
    WHEN 'createdAt' THEN 'key."createdAt"'
    WHEN 'expiresAt' THEN 'key."expiresAt"'
    WHEN 'lastUsedAt' THEN 'usage.last_used_at'
    WHEN 'usageCount' THEN 'usage.usage_count'
    -- As the index has it: without regard to case, and short enough for an index.
    WHEN 'name' THEN '"left"(sophra_api_keys.folded(coalesce(key."name", '''')), 200) COLLATE "C"'
  END;
  by_usage CONSTANT BOOLEAN := sort IN ('lastUsedAt', 'usageCount');
  with_usage CONSTANT TEXT := ' JOIN sophra_api_keys.key_usage AS usage ON usage.key_id = key."id"';
  -- With an offset it is never joined in another way, whatever the server believes of either table.
  with_own_usage CONSTANT TEXT :=
    ' CROSS JOIN LATERAL (SELECT * FROM sophra_api_keys.key_usage WHERE key_usage.key_id = key."id" OFFSET 0) AS usage';
  used_before CONSTANT TIMESTAMP := sophra_api_keys.instant_at(filter ->> 'unusedSince');
  by_last_use CONSTANT BOOLEAN := used_before IS NOT NULL;
  id CONSTANT TEXT := CASE WHEN by_usage THEN 'usage.key_id' ELSE 'key."id"' END;
  is_time CONSTANT BOOLEAN := sort IN ('createdAt', 'expiresAt', 'lastUsedAt');
  direction CONSTANT TEXT := CASE WHEN descending THEN 'DESC' ELSE 'ASC' END;
  beyond CONSTANT TEXT := CASE WHEN descending THEN '<' ELSE '>' END;
  parts TEXT[];
  statement TEXT;
  candidates TEXT;
  among_candidates TEXT;
  ordered CONSTANT TEXT := format(' ORDER BY place %s, key_id %1$s', direction);
  value_of_place CONSTANT TEXT := CASE WHEN is_time THEN 'sophra_api_keys.instant_value(place)' ELSE 'place::text' END;
  page RECORD;
  left_over INTEGER := most;
  idle_days CONSTANT INTEGER := CASE WHEN filter ->> 'status' IN ('expired', 'idle')
    THEN sophra_api_keys.fewest_idle_days((filter ->> 'maxIdleDays')::integer) END;
  -- Beyond these values of what the keys are sorted by, none passes.
  bounds CONSTANT TEXT := concat_ws(
    ' AND ',
    'true',
    sophra_api_keys.condition(sorted_by || ' >= %L', CASE sort
      WHEN 'createdAt' THEN sophra_api_keys.instant_at(filter ->> 'createdAfter')
    END::text),
    sophra_api_keys.condition(sorted_by || ' < %L', sophra_api_keys.instant_at(filter ->> CASE sort
      WHEN 'createdAt' THEN 'createdBefore'
      WHEN 'expiresAt' THEN 'expiresBefore'
      WHEN 'lastUsedAt' THEN 'unusedSince'
    END)::text),
    CASE WHEN sort = 'lastUsedAt' AND filter ->> 'status' = 'idle'
      THEN format('%s <= %L', sorted_by, now() AT TIME ZONE 'UTC' - idle_days * interval '24 hours') END
  );
BEGIN
  -- No index has both, so each part is found by its own.
  IF filter ->> 'status' = 'expired' AND idle_days IS NOT NULL THEN
    filter := filter || jsonb_build_object('ids', (
      SELECT coalesce(jsonb_agg(found.key_id), '[]')
      FROM unnest(ARRAY['past', 'idle']) AS half
      CROSS JOIN LATERAL sophra_api_keys.find_keys(
        filter || jsonb_build_object('status', half), sort, descending, after_id, after_value, most
      ) AS found
    ));
  END IF;
  conditions := sophra_api_keys.key_conditions(filter, 'usage.unused_since');
  candidates := format(
    'SELECT key."id", key."name", key."createdAt", key."expiresAt" FROM "ApiKey" AS key%s WHERE %s',
    CASE WHEN by_last_use THEN with_own_usage ELSE '' END,
    concat_ws(
      ' AND ',
      conditions.known,
      nullif(conditions.indexed, ''),
      CASE WHEN by_last_use AND 20000 > (
        SELECT count(*) FROM (SELECT FROM sophra_api_keys.key_usage AS usage WHERE usage.unused_since < used_before LIMIT 20000) AS few
      ) THEN format(
        'key."id" = ANY (ARRAY(SELECT key_id FROM sophra_api_keys.key_usage WHERE unused_since < %L))', used_before
      ) END
    )
  );
  -- No index has conditions on a key in an order by its use or its name. How many keys pass may depend on the order.
  IF (by_usage OR by_last_use OR sort = 'name') AND conditions.known <> 'true' THEN
    conditions.guessed := concat_ws(' AND ', conditions.known, conditions.guessed);
    conditions.known := 'true';
  END IF;
  IF is_time THEN
    after_value := sophra_api_keys.instant_of(after_value)::text;
  END IF;
  -- First those with the value at which the page before has ended, then those beyond it, then those without a value. Of each part
  -- the server can tell how many keys it has, which it cannot of a comparison of rows.
  parts := ARRAY[
    CASE WHEN after_value IS NOT NULL
      THEN format('%s = %L AND %s %s %L AND key."id" %4$s %5$L AND %6$s', sorted_by, after_value, id, beyond, after_id, bounds) END,
    CASE
      WHEN after_id IS NULL THEN format('%s IS NOT NULL AND %s', sorted_by, bounds)
      WHEN after_value IS NOT NULL THEN format('%s %s %L AND %s', sorted_by, beyond, after_value, bounds)
    END,
    CASE WHEN sort IN ('expiresAt', 'lastUsedAt') THEN
      sorted_by || ' IS NULL'
        || CASE WHEN after_id IS NOT NULL AND after_value IS NULL THEN format(' AND %s %s %L AND key."id" %2$s %3$L', id, beyond, after_id) ELSE '' END
    END
  ];
  parts := array_remove(parts, NULL);
  FOR at IN 1 .. cardinality(parts) LOOP
    statement := format(
      'SELECT %s AS key_id, %s AS place, %s AS passes FROM "ApiKey" AS key%s WHERE %s AND %s',
      id,
      sorted_by,
      coalesce(conditions.guessed, 'true'),
      CASE WHEN by_usage OR by_last_use THEN with_usage ELSE '' END,
      parts[at],
      conditions.known
    );
    -- Of this part and of those after it.
    among_candidates := format(
      'SELECT %s AS key_id, %s AS place FROM candidates AS key%s WHERE (%s) ORDER BY place %s NULLS LAST, key_id %5$s',
      id,
      sorted_by,
      CASE WHEN by_usage THEN with_own_usage ELSE '' END,
      array_to_string(parts[at:], ') OR ('),
      direction
    );
    IF filter ? 'ids' THEN
      -- A page of each half, at most. They pass all conditions.
      SELECT true AS is_rest, by_index.* INTO page
      FROM sophra_api_keys.find_by_index(candidates, among_candidates, value_of_place, left_over, 2 * most + 1) AS by_index;
    ELSIF conditions.guessed IS NULL THEN
      EXECUTE format(
        'SELECT false AS is_rest, array_agg(key_id) AS key_ids, array_agg(%s) AS key_values FROM (%s%s LIMIT %s) AS page',
        value_of_place, statement, ordered, left_over
      ) INTO page;
    ELSE
      SELECT * INTO page
      FROM sophra_api_keys.find_guessed(statement, candidates, among_candidates, ordered, value_of_place, left_over);
    END IF;
    RETURN QUERY SELECT unnest(page.key_ids), unnest(page.key_values);
    left_over := left_over - coalesce(cardinality(page.key_ids), 0);
    EXIT WHEN left_over <= 0 OR page.is_rest;
  END LOOP;
END
$$;

-- The keys of a statement that pass a condition of which the server can only guess how many pass it. Left to itself, it would walk
-- the whole table in order for a word that is rare, or collect half of the table for one that is not. So the first keys in order show
-- how frequent they are; only where a page is full soon, the walk goes on. Few candidates are all looked at: then there is no more to
-- find in later parts either.
CREATE FUNCTION sophra_api_keys.find_guessed(
  statement TEXT, candidates TEXT, among_candidates TEXT, ordered TEXT, value_of_place TEXT, most INTEGER,
  OUT is_rest BOOLEAN, OUT key_ids TEXT[], OUT key_values TEXT[]
)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  -- A longer walk takes more time than an index does for keys that are as rare.
  walk_max CONSTANT INTEGER := 10000;
  -- To sort more candidates takes longer than to read the table.
  too_many CONSTANT INTEGER := 20000;
  steps BIGINT := 200;
  walk RECORD;
BEGIN
  is_rest := false;
  LOOP
    EXECUTE format(
      'SELECT count(*) AS walked, count(*) FILTER (WHERE passes) AS passed,
         array_agg(key_id) FILTER (WHERE passes) AS key_ids, array_agg(%s) FILTER (WHERE passes) AS key_values
       FROM (%s%s LIMIT %s) AS walk',
      value_of_place, statement, ordered, steps
    ) INTO walk;
    IF walk.walked < steps OR walk.passed >= most THEN
      key_ids := walk.key_ids[:most];
      key_values := walk.key_values[:most];
      RETURN;
    END IF;
    -- As many as fill the page if they are as frequent further on, and some more.
    steps := steps + walk.walked * most / greatest(walk.passed, 1);
    EXIT WHEN steps > walk_max;
  END LOOP;
  SELECT * INTO key_ids, key_values, is_rest
  FROM sophra_api_keys.find_by_index(candidates, among_candidates, value_of_place, most, too_many);
  IF NOT is_rest THEN
    SELECT * INTO key_ids, key_values FROM sophra_api_keys.find_by_sorting(statement, ordered, value_of_place, most);
  END IF;
END
$$;

-- The first in order among candidates that indexes have, none of which is walked in order. Nothing if the candidates are not few.
CREATE FUNCTION sophra_api_keys.find_by_index(
  candidates TEXT, among_candidates TEXT, value_of_place TEXT, most INTEGER, too_many INTEGER,
  OUT key_ids TEXT[], OUT key_values TEXT[], OUT are_few BOOLEAN
)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET enable_indexscan = off
SET enable_indexonlyscan = off
AS $$
BEGIN
  EXECUTE format(
    'WITH
       candidates AS MATERIALIZED (%s LIMIT %s),
       counted AS MATERIALIZED (SELECT count(*) < %2$s AS are_few FROM candidates),
       page AS MATERIALIZED (SELECT key_id, %s AS value FROM (%s LIMIT %s) AS page)
     SELECT
       CASE WHEN are_few THEN ARRAY(SELECT key_id FROM page) END, CASE WHEN are_few THEN ARRAY(SELECT value FROM page) END, are_few
     FROM counted',
    candidates, too_many, value_of_place, among_candidates, most
  ) INTO key_ids, key_values, are_few;
END
$$;

-- The first rows of a statement that pass, of which there are very many, but none near the beginning of the order.
CREATE FUNCTION sophra_api_keys.find_by_sorting(
  statement TEXT, ordered TEXT, value_of_place TEXT, most INTEGER, OUT key_ids TEXT[], OUT key_values TEXT[]
)
LANGUAGE plpgsql STABLE
SET enable_nestloop = off
SET enable_hashjoin = on
SET enable_indexscan = off
SET enable_indexonlyscan = off
AS $$
BEGIN
  EXECUTE format(
    'SELECT array_agg(key_id), array_agg(%s) FROM (SELECT key_id, place FROM (%s) AS listed WHERE passes%s LIMIT %s) AS page',
    value_of_place, statement, ordered, most
  ) INTO key_ids, key_values;
END
$$;

-- The keys that there are. Keys that were made since the trigger exists have their row.
INSERT INTO sophra_api_keys.key_usage (key_id, last_used_at, usage_count, unused_since)
SELECT "id", "lastUsedAt", coalesce("usageCount", 0), coalesce("lastUsedAt", "createdAt", now() AT TIME ZONE 'UTC')
FROM "ApiKey"
ON CONFLICT DO NOTHING;
