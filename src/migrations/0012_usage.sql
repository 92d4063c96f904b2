-- Usage over time. A flush appends what it has counted to "usage_log", in one row. "fold_usage" adds that to the quarters of an
-- hour, and closes hours: what belongs to a closed hour is final, and what arrives later counts in the hour that is open.

-- What flushes have stored, until it is folded. The arrays have an element for each count.
CREATE TABLE sophra_api_keys.usage_log (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stored_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  -- Quarters of an hour by which the clock of the process is behind that of the database.
  shift BIGINT NOT NULL,
  key_ids TEXT[] NOT NULL,
  size INTEGER NOT NULL GENERATED ALWAYS AS (cardinality(key_ids)) STORED,
  client_ids TEXT[] NOT NULL,
  -- '' for none.
  tags TEXT[] NOT NULL,
  -- 'VALID', or the code of a refusal.
  outcomes TEXT[] NOT NULL,
  -- Quarters of an hour since 1970, by the clock of the process.
  quarters BIGINT[] NOT NULL,
  counts BIGINT[] NOT NULL,
  costs BIGINT[] NOT NULL
);
-- Ids are random: trying to compress them would cost a flush more than all else that is stored here.
ALTER TABLE sophra_api_keys.usage_log
  ALTER COLUMN key_ids SET STORAGE EXTERNAL,
  ALTER COLUMN client_ids SET STORAGE EXTERNAL;

-- What is counted apart: a tag and an outcome, of a key and its client at that time ('key'), of all keys of a client ('client'),
-- or of all keys ('all'); and the sum of each of these over its tags and outcomes ('key_sum', 'client_sum', 'all_sum'). What does
-- not apply is ''.
CREATE TABLE sophra_api_keys.usage_series (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  level TEXT NOT NULL,
  key_id TEXT NOT NULL,
  client_id TEXT NOT NULL,
  tag TEXT NOT NULL,
  outcome TEXT NOT NULL,
  UNIQUE (client_id, level, key_id, tag, outcome)
);
CREATE INDEX usage_series_key_idx ON sophra_api_keys.usage_series (key_id) WHERE key_id <> '';

CREATE TABLE sophra_api_keys.usage_quarters (
  series_id BIGINT NOT NULL,
  quarter TIMESTAMPTZ NOT NULL,
  count BIGINT NOT NULL,
  cost BIGINT NOT NULL,
  PRIMARY KEY (series_id, quarter)
-- Updated in place until the quarter is over.
) WITH (fillfactor = 80);
CREATE INDEX usage_quarters_quarter_idx ON sophra_api_keys.usage_quarters (quarter);

-- The hours of keys that are closed. Their ids are in the order of hours, and no lower one appears later.
CREATE TABLE sophra_api_keys.usage_hours (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  series_id BIGINT NOT NULL,
  hour TIMESTAMPTZ NOT NULL,
  count BIGINT NOT NULL,
  cost BIGINT NOT NULL
);
-- With the figures, so that the rows need not be read.
CREATE UNIQUE INDEX usage_hours_series_idx ON sophra_api_keys.usage_hours (series_id, hour) INCLUDE (count, cost);

-- The closed hours of clients, of all keys together, and of all sums.
CREATE TABLE sophra_api_keys.usage_rollups (
  series_id BIGINT NOT NULL,
  hour TIMESTAMPTZ NOT NULL,
  count BIGINT NOT NULL,
  cost BIGINT NOT NULL,
  PRIMARY KEY (series_id, hour) INCLUDE (count, cost)
);
CREATE INDEX usage_rollups_hour_idx ON sophra_api_keys.usage_rollups (hour);

-- Up to when hours are closed. Whoever folds, closes or deletes usage holds this row.
CREATE TABLE sophra_api_keys.usage_state (
  one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
  closed_until TIMESTAMPTZ NOT NULL,
  -- The end of the hour that is being closed, and the last series that this was done for.
  closes_until TIMESTAMPTZ NOT NULL,
  closed_series BIGINT NOT NULL DEFAULT 0
);
INSERT INTO sophra_api_keys.usage_state (closed_until, closes_until)
SELECT beginning.at, beginning.at
FROM (SELECT date_trunc('hour', now() - interval '10 minutes', 'UTC')) AS beginning (at);

-- The tags of the hours that are open. Beyond a thousand, tags are counted as 'other'.
CREATE TABLE sophra_api_keys.usage_tags (
  tag TEXT PRIMARY KEY
);

-- The series that a key's series counts in, besides itself.
CREATE FUNCTION sophra_api_keys.usage_levels_above(series sophra_api_keys.usage_series)
RETURNS TABLE (level TEXT, key_id TEXT, client_id TEXT, tag TEXT, outcome TEXT)
LANGUAGE sql IMMUTABLE
AS $$
  VALUES
    ('client', '', series.client_id, series.tag, series.outcome),
    ('all', '', '', series.tag, series.outcome),
    ('key_sum', series.key_id, series.client_id, '', ''),
    ('client_sum', '', series.client_id, '', ''),
    ('all_sum', '', '', '', '')
$$;

-- Adds an hour of these series to those above them. The series are looked up one by one: by a join, a server without statistics
-- might compare each with each.
CREATE FUNCTION sophra_api_keys.roll_up_usage(written BIGINT[], closed_hour TIMESTAMPTZ) RETURNS VOID
LANGUAGE plpgsql
AS $$
BEGIN
  INSERT INTO sophra_api_keys.usage_series (level, key_id, client_id, tag, outcome)
  SELECT DISTINCT above.level, above.key_id, above.client_id, above.tag, above.outcome
  FROM sophra_api_keys.usage_series AS series
  CROSS JOIN LATERAL sophra_api_keys.usage_levels_above(series) AS above
  WHERE series.id = ANY (written) AND (
    SELECT known.id FROM sophra_api_keys.usage_series AS known
    WHERE (known.level, known.key_id, known.client_id, known.tag, known.outcome)
      = (above.level, above.key_id, above.client_id, above.tag, above.outcome)
  ) IS NULL;
  INSERT INTO sophra_api_keys.usage_rollups AS known (series_id, hour, count, cost)
  SELECT
    (
      SELECT known.id FROM sophra_api_keys.usage_series AS known
      WHERE (known.level, known.key_id, known.client_id, known.tag, known.outcome)
        = (added.level, added.key_id, added.client_id, added.tag, added.outcome)
    ),
    closed_hour, added.count, added.cost
  FROM (
    SELECT above.level, above.key_id, above.client_id, above.tag, above.outcome,
      sum(hours.count)::bigint AS count, sum(hours.cost)::bigint AS cost
    FROM sophra_api_keys.usage_series AS series
    CROSS JOIN LATERAL sophra_api_keys.usage_levels_above(series) AS above
    CROSS JOIN LATERAL (
      SELECT * FROM sophra_api_keys.usage_hours AS hours
      WHERE hours.series_id = series.id AND hours.hour = closed_hour
      OFFSET 0
    ) AS hours
    WHERE series.id = ANY (written)
    GROUP BY 1, 2, 3, 4, 5
  ) AS added
  ON CONFLICT (series_id, hour) DO UPDATE SET
    count = known.count + excluded.count, cost = known.cost + excluded.cost;
END
$$;

-- Closes the next hour, or goes on to close it for so many of its series. Nothing is folded into it any more. Returns for how many
-- it is closed now.
CREATE FUNCTION sophra_api_keys.close_usage(closes TIMESTAMPTZ, part INTEGER) RETURNS INTEGER
LANGUAGE plpgsql
AS $$
DECLARE
  state sophra_api_keys.usage_state;
  written BIGINT[];
BEGIN
  SELECT * INTO state FROM sophra_api_keys.usage_state;
  IF state.closes_until = state.closed_until THEN
    -- Hours without usage are closed at once.
    SELECT coalesce(date_trunc('hour', min(quarter), 'UTC') + interval '60 minutes', closes) INTO state.closes_until
    FROM sophra_api_keys.usage_quarters WHERE quarter >= state.closed_until AND quarter < closes;
    state.closed_series := 0;
  END IF;
  WITH written AS (
    INSERT INTO sophra_api_keys.usage_hours (series_id, hour, count, cost)
    SELECT series_id, state.closes_until - interval '60 minutes', sum(count)::bigint, sum(cost)::bigint
    FROM sophra_api_keys.usage_quarters
    WHERE quarter >= state.closes_until - interval '60 minutes' AND quarter < state.closes_until
      AND quarter >= state.closed_until AND series_id > state.closed_series
    GROUP BY series_id
    ORDER BY series_id
    LIMIT part
    RETURNING series_id
  )
  SELECT array_agg(series_id ORDER BY series_id) INTO written FROM written;
  PERFORM sophra_api_keys.roll_up_usage(written, state.closes_until - interval '60 minutes');
  UPDATE sophra_api_keys.usage_state SET
    closed_until = CASE WHEN cardinality(written) = part THEN state.closed_until ELSE state.closes_until END,
    closes_until = state.closes_until,
    closed_series = coalesce(written[part], 0);
  RETURN coalesce(cardinality(written), 0);
END
$$;

-- What is in these rows of the log, by the clock of the database, and with tags that are known. What somebody else has written and
-- is no usage is left out, so that it holds up no other.
CREATE FUNCTION sophra_api_keys.logged_usage(ids BIGINT[])
RETURNS TABLE (key_id TEXT, client_id TEXT, tag TEXT, outcome TEXT, quarter BIGINT, count BIGINT, cost BIGINT)
LANGUAGE sql STABLE
AS $$
  -- An index has no room for longer ones, which only other programs write.
  SELECT left(counted.key_id, 255), left(counted.client_id, 255),
    CASE WHEN counted.tag = '' OR EXISTS (SELECT FROM sophra_api_keys.usage_tags AS known WHERE known.tag = counted.tag)
      THEN counted.tag ELSE 'other' END,
    left(counted.outcome, 64), counted.quarter + log.shift, counted.count, counted.cost
  FROM sophra_api_keys.usage_log AS log
  CROSS JOIN LATERAL unnest(log.key_ids, log.client_ids, log.tags, log.outcomes, log.quarters, log.counts, log.costs)
    AS counted (key_id, client_id, tag, outcome, quarter, count, cost)
  WHERE log.id = ANY (ids)
    AND num_nulls(
      counted.key_id, counted.client_id, counted.tag, counted.outcome, counted.quarter, counted.count, counted.cost
    ) = 0
    AND counted.quarter BETWEEN -1e9 AND 1e9 AND log.shift BETWEEN -1e9 AND 1e9
    AND counted.count BETWEEN -1e15 AND 1e15 AND counted.cost BETWEEN -1e15 AND 1e15
$$;

-- Folds a part of the log, the oldest first, or closes a part of an hour: ten minutes after its end, once everything is folded that
-- was stored by then. "part" says how much, in counts and in series. Returns whether there is more to do; NULL if another process
-- is at it, and "waits" is false.
CREATE FUNCTION sophra_api_keys.fold_usage(part INTEGER, waits BOOLEAN) RETURNS BOOLEAN
LANGUAGE plpgsql
AS $$
DECLARE
  batches CONSTANT INTEGER := 1000;
  tags_max CONSTANT INTEGER := 1000;
  -- Nothing is folded into an earlier quarter of an hour.
  first TIMESTAMPTZ;
  closed TIMESTAMPTZ;
  closes TIMESTAMPTZ;
  folded BIGINT[];
  room INTEGER := part;
BEGIN
  closes := date_trunc('hour', now() - interval '10 minutes', 'UTC');
  -- Without a lock, which would be written to disk: what another session is folding is still there for this one.
  IF NOT EXISTS (SELECT FROM sophra_api_keys.usage_log)
    AND (SELECT closed_until >= closes FROM sophra_api_keys.usage_state)
  THEN
    RETURN false;
  END IF;
  IF waits THEN
    SELECT closes_until INTO first FROM sophra_api_keys.usage_state FOR UPDATE;
  ELSE
    SELECT closes_until INTO first FROM sophra_api_keys.usage_state FOR UPDATE SKIP LOCKED;
  END IF;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;

  SELECT closed_until INTO closed FROM sophra_api_keys.usage_state;
  IF closed < closes
    AND NOT EXISTS (SELECT FROM sophra_api_keys.usage_log WHERE stored_at < closes + interval '10 minutes')
  THEN
    WHILE closed < closes AND room > 0 LOOP
      room := room - sophra_api_keys.close_usage(closes, room);
      SELECT closed_until INTO closed FROM sophra_api_keys.usage_state;
    END LOOP;
    DELETE FROM sophra_api_keys.usage_tags;
    RETURN closed < closes OR EXISTS (SELECT FROM sophra_api_keys.usage_log);
  END IF;

  folded := ARRAY(
    SELECT listed.id
    FROM (
      SELECT next.id, sum(next.size) OVER (ORDER BY next.id) - next.size AS before
      FROM (SELECT id, size FROM sophra_api_keys.usage_log ORDER BY id LIMIT batches) AS next
    ) AS listed
    WHERE listed.before < part
  );
  IF cardinality(folded) > 0 THEN
    INSERT INTO sophra_api_keys.usage_tags (tag)
    SELECT DISTINCT listed.tag
    FROM sophra_api_keys.usage_log AS log, unnest(log.tags) AS listed (tag)
    WHERE log.id = ANY (folded) AND listed.tag <> '' AND length(listed.tag) <= 64
      AND NOT EXISTS (SELECT FROM sophra_api_keys.usage_tags AS known WHERE known.tag = listed.tag)
    ORDER BY 1
    LIMIT greatest(0, tags_max - (SELECT count(*) FROM sophra_api_keys.usage_tags));

    -- In both statements, series are looked up one by one, as above.
    INSERT INTO sophra_api_keys.usage_series (level, key_id, client_id, tag, outcome)
    SELECT 'key', added.key_id, added.client_id, added.tag, added.outcome
    FROM (
      SELECT DISTINCT logged.key_id, logged.client_id, logged.tag, logged.outcome
      FROM sophra_api_keys.logged_usage(folded) AS logged
    ) AS added
    WHERE (
      SELECT known.id FROM sophra_api_keys.usage_series AS known
      WHERE (known.level, known.key_id, known.client_id, known.tag, known.outcome)
        = ('key', added.key_id, added.client_id, added.tag, added.outcome)
    ) IS NULL;
    INSERT INTO sophra_api_keys.usage_quarters AS known (series_id, quarter, count, cost)
    SELECT
      (
        SELECT known.id FROM sophra_api_keys.usage_series AS known
        WHERE (known.level, known.key_id, known.client_id, known.tag, known.outcome)
          = ('key', added.key_id, added.client_id, added.tag, added.outcome)
      ),
      to_timestamp(900 * added.quarter), added.count, added.cost
    FROM (
      SELECT logged.key_id, logged.client_id, logged.tag, logged.outcome,
        greatest(
          least(logged.quarter, floor(extract(epoch FROM now()) / 900)::bigint), extract(epoch FROM first)::bigint / 900
        ) AS quarter,
        sum(logged.count)::bigint AS count, sum(logged.cost)::bigint AS cost
      FROM sophra_api_keys.logged_usage(folded) AS logged
      GROUP BY 1, 2, 3, 4, 5
    ) AS added
    ON CONFLICT (series_id, quarter) DO UPDATE SET
      count = known.count + excluded.count, cost = known.cost + excluded.cost;
    DELETE FROM sophra_api_keys.usage_log WHERE id = ANY (folded);
  END IF;
  RETURN closed < closes OR EXISTS (SELECT FROM sophra_api_keys.usage_log);
END
$$;

-- Deletes quarters and hours that are older than these days, a part of each. Returns whether there may be more.
CREATE FUNCTION sophra_api_keys.prune_usage_history(quarter_days INTEGER, hour_days INTEGER, part INTEGER) RETURNS BOOLEAN
LANGUAGE plpgsql
AS $$
DECLARE
  closed TIMESTAMPTZ;
  ended BIGINT[];
  may_be_more BOOLEAN;
BEGIN
  SELECT closed_until INTO closed FROM sophra_api_keys.usage_state FOR UPDATE;
  WITH
    old AS (
      SELECT series_id, quarter FROM sophra_api_keys.usage_quarters
      WHERE quarter < least(
        closed, date_trunc('hour', now(), 'UTC') - interval '24 hours' * quarter_days
      )
      ORDER BY quarter
      LIMIT part
    ),
    gone AS (
      DELETE FROM sophra_api_keys.usage_quarters AS kept USING old
      WHERE (kept.series_id, kept.quarter) = (old.series_id, old.quarter)
      RETURNING kept.series_id
    )
  SELECT array_agg(DISTINCT series_id), count(*) = part INTO ended, may_be_more FROM gone;

  WITH gone AS (
    DELETE FROM sophra_api_keys.usage_hours
    WHERE id IN (SELECT id FROM sophra_api_keys.usage_hours ORDER BY id LIMIT part)
      AND hour < now() - interval '24 hours' * hour_days
    RETURNING series_id
  )
  SELECT ended || array_agg(DISTINCT series_id), may_be_more OR count(*) = part INTO ended, may_be_more FROM gone;
  WITH
    old AS (
      SELECT series_id, hour FROM sophra_api_keys.usage_rollups
      WHERE hour < now() - interval '24 hours' * hour_days
      ORDER BY hour
      LIMIT part
    ),
    gone AS (
      DELETE FROM sophra_api_keys.usage_rollups AS kept USING old
      WHERE (kept.series_id, kept.hour) = (old.series_id, old.hour)
      RETURNING kept.series_id
    )
  SELECT ended || array_agg(DISTINCT series_id), may_be_more OR count(*) = part INTO ended, may_be_more FROM gone;
  DELETE FROM sophra_api_keys.usage_series AS series
  WHERE series.id = ANY (ended)
    AND NOT EXISTS (SELECT FROM sophra_api_keys.usage_hours AS kept WHERE kept.series_id = series.id)
    AND NOT EXISTS (SELECT FROM sophra_api_keys.usage_rollups AS kept WHERE kept.series_id = series.id)
    AND NOT EXISTS (SELECT FROM sophra_api_keys.usage_quarters AS kept WHERE kept.series_id = series.id);
  RETURN may_be_more;
END
$$;

-- The beginnings of the hours, days or months of a time zone that overlap a range, and the end of the last one; NULL if there are
-- more than "most". An hour begins on a quarter of one, since no time zone in use is at another distance from UTC.
CREATE FUNCTION sophra_api_keys.usage_bounds(
  range_from TIMESTAMPTZ, range_to TIMESTAMPTZ, bucket TEXT, time_zone TEXT, most INTEGER
) RETURNS TIMESTAMPTZ[]
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  step CONSTANT INTERVAL := CASE bucket WHEN 'hour' THEN '3 hours' WHEN 'day' THEN '72 hours' ELSE '1488 hours' END;
  size CONSTANT INTERVAL := CASE bucket WHEN 'hour' THEN '1 hour' WHEN 'day' THEN '24 hours' ELSE '672 hours' END;
  bound TIMESTAMPTZ := to_timestamp(floor(extract(epoch FROM range_from) / 900) * 900) - step;
  bounds TIMESTAMPTZ[];
BEGIN
  -- Too many for sure, however the clocks change.
  IF range_to - range_from - step > size * most THEN
    RETURN NULL;
  END IF;
  IF bucket = 'hour' THEN
    bounds := ARRAY(
      SELECT generate_series(date_trunc('hour', range_from, 'UTC'), range_to + interval '1 hour - 1 microsecond', interval '1 hour')
    );
    -- The hours of most time zones are those of UTC.
    IF NOT EXISTS (SELECT FROM unnest(bounds) AS listed (at) WHERE date_part('minute', listed.at AT TIME ZONE time_zone) <> 0) THEN
      RETURN CASE WHEN cardinality(bounds) <= most + 1 THEN bounds END;
    END IF;
    bounds := ARRAY(
      SELECT listed.at
      FROM generate_series(bound, range_to + step, interval '15 minutes') AS listed (at),
        LATERAL (SELECT listed.at AT TIME ZONE time_zone AS at) AS here,
        LATERAL (SELECT (listed.at - interval '15 minutes') AT TIME ZONE time_zone AS at) AS before
      WHERE date_trunc('hour', here.at) <> date_trunc('hour', before.at) OR here.at < before.at
      ORDER BY listed.at
    );
  ELSE
    LOOP
      bound := sophra_api_keys.quota_period_end(bucket, time_zone, 1, bound);
      bounds := bounds || bound;
      EXIT WHEN bound >= range_to;
    END LOOP;
  END IF;
  bounds := ARRAY(
    SELECT listed.at FROM unnest(bounds) AS listed (at)
    WHERE listed.at >= (SELECT max(first.at) FROM unnest(bounds) AS first (at) WHERE first.at <= range_from)
      AND listed.at <= (SELECT min(last.at) FROM unnest(bounds) AS last (at) WHERE last.at >= range_to)
    ORDER BY listed.at
  );
  RETURN CASE WHEN cardinality(bounds) <= most + 1 THEN bounds END;
END
$$;

-- The usage in a range of time, as JSON with instants in milliseconds: every bucket that overlaps the range, for every group in
-- it. "key" and "client" are NULL for all. "problem" says why there is none: 'timeZone' (there is no such time zone), 'order' (the
-- range ends before it begins), 'cut' (a bucket begins within an hour that is kept as a whole only) or 'rows' (there are more than
-- "most").
CREATE FUNCTION sophra_api_keys.get_usage(
  key TEXT, client TEXT, range_from TIMESTAMPTZ, range_to TIMESTAMPTZ, from_is_day BOOLEAN, to_is_day BOOLEAN, bucket TEXT,
  groups TEXT[], time_zone TEXT, most INTEGER,
  OUT usage JSON, OUT problem TEXT
)
LANGUAGE plpgsql
-- It would take longer to compile the statement than to run it.
SET jit = off
-- The hours of a series are on as many pages, of which an index with the figures spares most, or all. The server counts on none.
SET enable_bitmapscan = off
AS $$
DECLARE
  bounds TIMESTAMPTZ[];
  -- Hours that a bucket begins in.
  cut TIMESTAMPTZ[];
  closed TIMESTAMPTZ;
  -- Of which series hours are read, and from where; of keys, quarters are.
  whose CONSTANT TEXT := CASE
    WHEN key IS NOT NULL OR 'keyId' = ANY (groups) THEN 'key'
    WHEN client IS NOT NULL OR 'clientId' = ANY (groups) THEN 'client'
    ELSE 'all'
  END;
  level CONSTANT TEXT := whose || CASE WHEN groups && ARRAY['tag', 'outcome'] THEN '' ELSE '_sum' END;
  hours CONSTANT TEXT := CASE level WHEN 'key' THEN 'usage_hours' ELSE 'usage_rollups' END;
  series TEXT;
  columns TEXT;
  values TEXT;
  fields TEXT;
  figures TEXT;
  is_cut BOOLEAN;
BEGIN
  BEGIN
    -- Fails if there is no such time zone.
    PERFORM sophra_api_keys.quota_period_end('day', time_zone, 1, range_from);
  EXCEPTION WHEN invalid_parameter_value THEN
    problem := 'timeZone';
    RETURN;
  END;
  -- A day without a time was read as that of UTC.
  IF from_is_day THEN
    range_from := (range_from AT TIME ZONE 'UTC') AT TIME ZONE time_zone;
  END IF;
  IF to_is_day THEN
    range_to := (range_to AT TIME ZONE 'UTC') AT TIME ZONE time_zone;
  END IF;
  IF range_to <= range_from THEN
    problem := 'order';
    RETURN;
  END IF;
  bounds := sophra_api_keys.usage_bounds(range_from, range_to, bucket, time_zone, most);
  IF bounds IS NULL THEN
    problem := 'rows';
    RETURN;
  END IF;
  cut := ARRAY(
    SELECT date_trunc('hour', listed.at, 'UTC') FROM unnest(bounds) AS listed (at)
    WHERE listed.at <> date_trunc('hour', listed.at, 'UTC')
  );
  SELECT closed_until INTO closed FROM sophra_api_keys.usage_state;
  series := concat_ws(
    ' AND ',
    'true',
    sophra_api_keys.condition('series.key_id = %L AND series.key_id <> ''''', key),
    sophra_api_keys.condition('series.client_id = %L', client)
  );

  IF cardinality(cut) > 0 THEN
    EXECUTE format(
      $query$
      SELECT EXISTS (
        SELECT FROM sophra_api_keys.usage_hours AS hours JOIN sophra_api_keys.usage_series AS series ON series.id = hours.series_id
        WHERE series.level = 'key' AND %s AND hours.hour = ANY ($1) AND hours.hour < $2
          -- Some of its quarters may be deleted, and others not yet.
          AND (hours.count, hours.cost) <> (
            SELECT coalesce(sum(quarters.count), 0), coalesce(sum(quarters.cost), 0)
            FROM sophra_api_keys.usage_quarters AS quarters
            WHERE quarters.series_id = hours.series_id
              AND quarters.quarter >= hours.hour AND quarters.quarter < hours.hour + interval '60 minutes'
          )
      )
      $query$, series
    ) INTO is_cut USING cut, closed;
    IF is_cut THEN
      problem := 'cut';
      RETURN;
    END IF;
  END IF;

  SELECT
    coalesce(string_agg(format('series.%I, ', listed.source), '') FILTER (WHERE listed.is_wanted), ''),
    string_agg(CASE WHEN listed.is_wanted THEN listed.source ELSE format(''''' AS %I', listed.source) END, ', '),
    coalesce(string_agg(
      format('%L, coalesce(to_json(nullif(%I, '''')), ''null'')', ',"' || listed.name || '":', listed.source), ', '
    ) FILTER (WHERE listed.is_wanted), 'NULL')
  INTO columns, values, fields
  FROM (
    SELECT known.name, known.source, known.name = ANY (groups) AS is_wanted
    FROM (VALUES ('keyId', 'key_id'), ('clientId', 'client_id'), ('tag', 'tag'), ('outcome', 'outcome')) AS known (name, source)
  ) AS listed;

  -- Closed hours as a whole where no bucket begins in them, else their quarters.
  figures := format(
    $query$
    SELECT %2$shours.hour AS at, hours.count, hours.cost
    FROM sophra_api_keys.usage_series AS series
    -- With an offset, the index is used for each series: the server cannot know that few hours of few series are needed.
    CROSS JOIN LATERAL (
      SELECT * FROM sophra_api_keys.%3$I AS hours
      WHERE hours.series_id = series.id AND hours.hour >= $1[1] AND hours.hour < least($1[cardinality($1)], $3)
        AND hours.hour <> ALL ($2)
      OFFSET 0
    ) AS hours
    WHERE series.level = %4$L AND %1$s
    UNION ALL
    SELECT %2$squarters.quarter, quarters.count, quarters.cost
    FROM sophra_api_keys.usage_series AS series
    CROSS JOIN LATERAL (
      SELECT * FROM sophra_api_keys.usage_quarters AS quarters
      WHERE quarters.series_id = series.id
        AND quarters.quarter >= greatest($1[1], $3) AND quarters.quarter < $1[cardinality($1)]
      %5$s
    ) AS quarters
    WHERE series.level = 'key' AND %1$s
    $query$, series, columns, hours, level,
    -- Of all keys, the quarters of this hour are most of what there is.
    CASE WHEN key IS NOT NULL OR client IS NOT NULL THEN 'OFFSET 0' ELSE '' END
  );
  IF cardinality(cut) > 0 THEN
    figures := figures || format(
      $query$
      UNION ALL
      SELECT %2$squarters.quarter, quarters.count, quarters.cost
      FROM sophra_api_keys.usage_series AS series JOIN sophra_api_keys.usage_quarters AS quarters ON quarters.series_id = series.id
      WHERE series.level = 'key' AND %1$s AND quarters.quarter >= $1[1] AND quarters.quarter < least($1[cardinality($1)], $3)
        AND date_trunc('hour', quarters.quarter, 'UTC') = ANY ($2)
      $query$, series, columns
    );
  END IF;

  EXECUTE format(
    $query$
    WITH
      sums AS MATERIALIZED (
        SELECT %3$s, width_bucket(at, $1) AS number, sum(count) AS count, sum(cost) AS cost
        FROM (%1$s) AS stored
        GROUP BY 1, 2, 3, 4, 5
      ),
      -- The groups, each with its fields.
      seen AS MATERIALIZED (
        SELECT key_id, client_id, tag, outcome, concat(%2$s) AS fields
        FROM (
          SELECT DISTINCT key_id, client_id, tag, outcome FROM sums WHERE $4 <> '{}'
          UNION
          SELECT '', '', '', '' WHERE $4 = '{}'
        ) AS listed
      ),
      size AS MATERIALIZED (SELECT (SELECT count(*) FROM seen) * (cardinality($1) - 1) > $5 AS is_large)
    SELECT
      CASE WHEN NOT size.is_large THEN (
        -- As text: an object built for each row would take twice as long.
        SELECT '[' || coalesce(
          string_agg(listed.row, ',' ORDER BY listed.number, listed.key_id, listed.client_id, listed.tag, listed.outcome), ''
        ) || ']'
        FROM (
          SELECT numbers.number, seen.key_id, seen.client_id, seen.tag, seen.outcome,
            format(
              '{"start":%%s,"count":%%s,"cost":%%s%%s}', (date_part('epoch', $1[numbers.number]) * 1000)::bigint,
              coalesce(sums.count, 0), coalesce(sums.cost, 0), seen.fields
            ) AS row
          FROM seen CROSS JOIN generate_series(1, cardinality($1) - 1) AS numbers (number)
          LEFT JOIN sums USING (number, key_id, client_id, tag, outcome)
        ) AS listed
      ) END,
      CASE WHEN size.is_large THEN 'rows' END
    FROM size
    $query$,
    figures, fields, values
    -- Flat, since each row's look-up would copy an array as it is in a variable.
  ) INTO usage, problem USING bounds || '{}'::timestamptz[], cut, closed, groups, most;
END
$$;

-- Closed hours after the row with this id, as JSON with instants in milliseconds.
CREATE FUNCTION sophra_api_keys.export_usage(after_id BIGINT, most INTEGER) RETURNS JSON
LANGUAGE sql STABLE
AS $$
  SELECT coalesce(json_agg(json_build_object(
    'id', hours.id::text,
    'hour', round(extract(epoch FROM hours.hour) * 1000)::bigint,
    'keyId', series.key_id,
    'clientId', series.client_id,
    'tag', nullif(series.tag, ''),
    'outcome', series.outcome,
    'count', hours.count,
    'cost', hours.cost
  ) ORDER BY hours.id), '[]')
  FROM (
    SELECT * FROM sophra_api_keys.usage_hours WHERE id > after_id ORDER BY id LIMIT most
  ) AS hours
  JOIN sophra_api_keys.usage_series AS series ON series.id = hours.series_id
$$;
