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

-- What is counted apart: a key, its client at that time, a tag and an outcome.
CREATE TABLE sophra_api_keys.usage_series (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key_id TEXT NOT NULL,
  client_id TEXT NOT NULL,
  tag TEXT NOT NULL,
  outcome TEXT NOT NULL,
  UNIQUE (key_id, client_id, tag, outcome)
);
CREATE INDEX usage_series_client_idx ON sophra_api_keys.usage_series (client_id);

CREATE TABLE sophra_api_keys.usage_quarters (
  series_id BIGINT NOT NULL,
  quarter TIMESTAMPTZ NOT NULL,
  count BIGINT NOT NULL,
  cost BIGINT NOT NULL,
  PRIMARY KEY (series_id, quarter)
-- Updated in place until the quarter is over.
) WITH (fillfactor = 80);
CREATE INDEX usage_quarters_quarter_idx ON sophra_api_keys.usage_quarters (quarter);

-- The hours that are closed. Their ids are in the order of hours, and no lower one appears later.
CREATE TABLE sophra_api_keys.usage_hours (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  series_id BIGINT NOT NULL,
  hour TIMESTAMPTZ NOT NULL,
  count BIGINT NOT NULL,
  cost BIGINT NOT NULL
);
-- With the figures, so that the rows need not be read.
CREATE UNIQUE INDEX usage_hours_series_idx ON sophra_api_keys.usage_hours (series_id, hour) INCLUDE (count, cost);

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
FROM (SELECT to_timestamp(floor(extract(epoch FROM now() - interval '10 minutes') / 3600) * 3600)) AS beginning (at);

-- The tags of the hours that are open. Beyond a thousand, tags are counted as 'other'.
CREATE TABLE sophra_api_keys.usage_tags (
  tag TEXT PRIMARY KEY
);

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
    SELECT coalesce(to_timestamp(floor(extract(epoch FROM min(quarter)) / 3600 + 1) * 3600), closes) INTO state.closes_until
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
  UPDATE sophra_api_keys.usage_state SET
    closed_until = CASE WHEN cardinality(written) = part THEN state.closed_until ELSE state.closes_until END,
    closes_until = state.closes_until,
    closed_series = coalesce(written[part], 0);
  RETURN coalesce(cardinality(written), 0);
END
$$;

-- Folds a part of the log, the oldest first. It closes hours ten minutes after their end, once everything is folded that was
-- stored by then. Returns whether there is more to do; NULL if another process is at it, and "waits" is false.
CREATE FUNCTION sophra_api_keys.fold_usage(waits BOOLEAN) RETURNS BOOLEAN
LANGUAGE plpgsql
AS $$
DECLARE
  batches CONSTANT INTEGER := 1000;
  part CONSTANT INTEGER := 20000;
  tags_max CONSTANT INTEGER := 1000;
  -- Nothing is folded into an earlier quarter of an hour.
  first TIMESTAMPTZ;
  closed TIMESTAMPTZ;
  closes TIMESTAMPTZ;
  folded BIGINT[];
  room INTEGER := part;
BEGIN
  IF waits THEN
    SELECT closes_until INTO first FROM sophra_api_keys.usage_state FOR UPDATE;
  ELSE
    SELECT closes_until INTO first FROM sophra_api_keys.usage_state FOR UPDATE SKIP LOCKED;
  END IF;
  IF NOT FOUND THEN
    RETURN NULL;
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
    WHERE log.id = ANY (folded) AND listed.tag <> ''
      AND NOT EXISTS (SELECT FROM sophra_api_keys.usage_tags AS known WHERE known.tag = listed.tag)
    ORDER BY 1
    LIMIT greatest(0, tags_max - (SELECT count(*) FROM sophra_api_keys.usage_tags));

    WITH
      taken AS (DELETE FROM sophra_api_keys.usage_log WHERE id = ANY (folded) RETURNING *),
      added AS MATERIALIZED (
        SELECT counted.key_id, counted.client_id, counted.outcome,
          CASE WHEN counted.tag = '' OR known.tag IS NOT NULL THEN counted.tag ELSE 'other' END AS tag,
          to_timestamp(900 * greatest(
            least(counted.quarter + taken.shift, floor(extract(epoch FROM now()) / 900)::bigint),
            extract(epoch FROM first)::bigint / 900
          )) AS quarter,
          sum(counted.count)::bigint AS count,
          sum(counted.cost)::bigint AS cost
        FROM taken
        CROSS JOIN LATERAL unnest(
          taken.key_ids, taken.client_ids, taken.tags, taken.outcomes, taken.quarters, taken.counts, taken.costs
        ) AS counted (key_id, client_id, tag, outcome, quarter, count, cost)
        LEFT JOIN sophra_api_keys.usage_tags AS known ON known.tag = counted.tag
        -- A row that somebody else has written holds up no other.
        WHERE num_nulls(
          counted.key_id, counted.client_id, counted.tag, counted.outcome, counted.quarter, counted.count, counted.cost
        ) = 0
        GROUP BY 1, 2, 3, 4, 5
      ),
      begun AS (
        INSERT INTO sophra_api_keys.usage_series (key_id, client_id, tag, outcome)
        SELECT DISTINCT added.key_id, added.client_id, added.tag, added.outcome FROM added
        WHERE NOT EXISTS (
          SELECT FROM sophra_api_keys.usage_series AS series
          WHERE (series.key_id, series.client_id, series.tag, series.outcome)
            = (added.key_id, added.client_id, added.tag, added.outcome)
        )
        RETURNING id, key_id, client_id, tag, outcome
      ),
      series AS (
        SELECT begun.id, begun.key_id, begun.client_id, begun.tag, begun.outcome FROM begun
        UNION ALL
        SELECT known.id, known.key_id, known.client_id, known.tag, known.outcome
        FROM sophra_api_keys.usage_series AS known
        WHERE known.key_id IN (SELECT added.key_id FROM added)
      )
    INSERT INTO sophra_api_keys.usage_quarters AS known (series_id, quarter, count, cost)
    SELECT series.id, added.quarter, added.count, added.cost
    FROM added JOIN series USING (key_id, client_id, tag, outcome)
    ORDER BY 1, 2
    ON CONFLICT (series_id, quarter) DO UPDATE SET
      count = known.count + excluded.count, cost = known.cost + excluded.cost;
  END IF;

  closes := to_timestamp(floor(extract(epoch FROM now() - interval '10 minutes') / 3600) * 3600);
  SELECT closed_until INTO closed FROM sophra_api_keys.usage_state;
  IF closed < closes
    AND NOT EXISTS (SELECT FROM sophra_api_keys.usage_log WHERE stored_at < closes + interval '10 minutes')
  THEN
    WHILE closed < closes AND room > 0 LOOP
      room := room - sophra_api_keys.close_usage(closes, room);
      SELECT closed_until INTO closed FROM sophra_api_keys.usage_state;
    END LOOP;
    DELETE FROM sophra_api_keys.usage_tags;
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
  quarters BIGINT;
  ended BIGINT[];
  may_be_more BOOLEAN;
BEGIN
  SELECT closed_until INTO closed FROM sophra_api_keys.usage_state FOR UPDATE;
  WITH old AS (
    SELECT series_id, quarter FROM sophra_api_keys.usage_quarters
    WHERE quarter < least(
      closed, to_timestamp(floor(extract(epoch FROM now()) / 3600) * 3600) - interval '24 hours' * quarter_days
    )
    ORDER BY quarter
    LIMIT part
  )
  DELETE FROM sophra_api_keys.usage_quarters AS kept USING old
  WHERE (kept.series_id, kept.quarter) = (old.series_id, old.quarter);
  GET DIAGNOSTICS quarters = ROW_COUNT;

  WITH gone AS (
    DELETE FROM sophra_api_keys.usage_hours
    WHERE id IN (SELECT id FROM sophra_api_keys.usage_hours ORDER BY id LIMIT part)
      AND hour < now() - interval '24 hours' * hour_days
    RETURNING series_id
  )
  SELECT array_agg(DISTINCT series_id), count(*) = part INTO ended, may_be_more FROM gone;
  DELETE FROM sophra_api_keys.usage_series AS series
  WHERE series.id = ANY (ended)
    AND NOT EXISTS (SELECT FROM sophra_api_keys.usage_hours AS kept WHERE kept.series_id = series.id)
    AND NOT EXISTS (SELECT FROM sophra_api_keys.usage_quarters AS kept WHERE kept.series_id = series.id);
  RETURN may_be_more OR quarters = part;
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
  shortest CONSTANT INTERVAL := CASE bucket WHEN 'hour' THEN '15 minutes' WHEN 'day' THEN '12 hours' ELSE '600 hours' END;
  bound TIMESTAMPTZ := to_timestamp(floor(extract(epoch FROM range_from) / 900) * 900) - step;
  bounds TIMESTAMPTZ[];
BEGIN
  IF range_to - range_from > shortest * most THEN
    RETURN NULL;
  END IF;
  IF bucket = 'hour' THEN
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
-- it. "key" and "client" are NULL for all. "problem" says why there is none: 'timeZone' (there is no such time zone), 'cut' (a
-- bucket begins within an hour that is kept as a whole only) or 'rows' (there are more than "most").
CREATE FUNCTION sophra_api_keys.get_usage(
  key TEXT, client TEXT, range_from TIMESTAMPTZ, range_to TIMESTAMPTZ, bucket TEXT, groups TEXT[], time_zone TEXT, most INTEGER,
  OUT usage JSON, OUT problem TEXT
)
LANGUAGE plpgsql
AS $$
DECLARE
  bounds TIMESTAMPTZ[];
  -- Hours that a bucket begins in.
  cut TIMESTAMPTZ[];
  closed TIMESTAMPTZ;
  series TEXT;
  columns TEXT;
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
  bounds := sophra_api_keys.usage_bounds(range_from, range_to, bucket, time_zone, most);
  IF bounds IS NULL THEN
    problem := 'rows';
    RETURN;
  END IF;
  cut := ARRAY(
    SELECT to_timestamp(floor(extract(epoch FROM listed.at) / 3600) * 3600) FROM unnest(bounds) AS listed (at)
    WHERE extract(epoch FROM listed.at)::bigint % 3600 <> 0
  );
  SELECT closed_until INTO closed FROM sophra_api_keys.usage_state;
  series := concat_ws(
    ' AND ',
    'true',
    sophra_api_keys.condition('series.key_id = %L', key),
    sophra_api_keys.condition('series.client_id = %L', client)
  );

  IF cardinality(cut) > 0 THEN
    EXECUTE format(
      $query$
      SELECT EXISTS (
        SELECT FROM sophra_api_keys.usage_hours AS hours JOIN sophra_api_keys.usage_series AS series ON series.id = hours.series_id
        WHERE %s AND hours.hour = ANY ($1) AND hours.hour < $2
          AND NOT EXISTS (
            SELECT FROM sophra_api_keys.usage_quarters AS quarters
            WHERE quarters.series_id = hours.series_id
              AND quarters.quarter >= hours.hour AND quarters.quarter < hours.hour + interval '1 hour'
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
    string_agg(format('%s AS %I', CASE WHEN listed.name = ANY (groups) THEN 'series.' || listed.source ELSE '''''' END, listed.source), ', '),
    coalesce(
      string_agg(format(', %L, nullif(seen.%I, '''')', listed.name, listed.source), '') FILTER (WHERE listed.name = ANY (groups)), ''
    )
  INTO columns, fields
  FROM (VALUES ('keyId', 'key_id'), ('clientId', 'client_id'), ('tag', 'tag'), ('outcome', 'outcome')) AS listed (name, source);

  -- Closed hours as a whole where no bucket begins in them, else their quarters.
  figures := format(
    $query$
    SELECT %2$s, hours.hour AS at, hours.count, hours.cost
    FROM sophra_api_keys.usage_series AS series JOIN sophra_api_keys.usage_hours AS hours ON hours.series_id = series.id
    WHERE %1$s AND hours.hour >= $1[1] AND hours.hour < least($1[cardinality($1)], $3) AND hours.hour <> ALL ($2)
    UNION ALL
    SELECT %2$s, quarters.quarter, quarters.count, quarters.cost
    FROM sophra_api_keys.usage_series AS series JOIN sophra_api_keys.usage_quarters AS quarters ON quarters.series_id = series.id
    WHERE %1$s AND quarters.quarter >= greatest($1[1], $3) AND quarters.quarter < $1[cardinality($1)]
    $query$, series, columns
  );
  IF cardinality(cut) > 0 THEN
    figures := figures || format(
      $query$
      UNION ALL
      SELECT %2$s, quarters.quarter, quarters.count, quarters.cost
      FROM sophra_api_keys.usage_series AS series JOIN sophra_api_keys.usage_quarters AS quarters ON quarters.series_id = series.id
      WHERE %1$s AND quarters.quarter >= $1[1] AND quarters.quarter < least($1[cardinality($1)], $3)
        AND to_timestamp(floor(extract(epoch FROM quarters.quarter) / 3600) * 3600) = ANY ($2)
      $query$, series, columns
    );
  END IF;

  EXECUTE format(
    $query$
    WITH
      figures AS MATERIALIZED (
        SELECT key_id, client_id, tag, outcome, at, sum(count) AS count, sum(cost) AS cost FROM (%1$s) AS stored
        GROUP BY 1, 2, 3, 4, 5
      ),
      sums AS MATERIALIZED (
        SELECT key_id, client_id, tag, outcome, width_bucket(at, $1) AS number, sum(count) AS count, sum(cost) AS cost
        FROM figures
        GROUP BY 1, 2, 3, 4, 5
      ),
      seen AS MATERIALIZED (
        SELECT DISTINCT key_id, client_id, tag, outcome FROM sums
        UNION
        SELECT '', '', '', '' WHERE $4 = '{}'
      ),
      size AS MATERIALIZED (SELECT (SELECT count(*) FROM seen) * (cardinality($1) - 1) > $5 AS is_large)
    SELECT
      CASE WHEN NOT size.is_large THEN (
        SELECT coalesce(
          json_agg(listed.row ORDER BY listed.number, listed.key_id, listed.client_id, listed.tag, listed.outcome), '[]'
        )
        FROM (
          SELECT numbers.number, seen.key_id, seen.client_id, seen.tag, seen.outcome,
            json_build_object(
              'start', round(extract(epoch FROM $1[numbers.number]) * 1000)::bigint,
              'count', coalesce(sums.count, 0),
              'cost', coalesce(sums.cost, 0)%2$s
            ) AS row
          FROM seen CROSS JOIN generate_series(1, cardinality($1) - 1) AS numbers (number)
          LEFT JOIN sums USING (number, key_id, client_id, tag, outcome)
        ) AS listed
      ) END,
      CASE WHEN size.is_large THEN 'rows' END
    FROM size
    $query$,
    figures, fields
  ) INTO usage, problem USING bounds, cut, closed, groups, most;
END
$$;

-- Closed hours behind the row with this id, as JSON with instants in milliseconds.
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
