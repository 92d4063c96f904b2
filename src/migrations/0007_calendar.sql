-- When the calendar period ends that contains an instant, which is when the next one begins: at the first instant of a day
-- in a time zone. That is not always midnight, which a change of the clocks may skip or repeat.

-- The periods are 'day', 'week' (the anchor is the ISO number of the weekday, Monday is 1), 'month' (the anchor is the day
-- of the month, the last day where a month is shorter) and 'total', which never ends. It fails for anything else.
CREATE FUNCTION sophra_api_keys.quota_period_end(period TEXT, time_zone TEXT, anchor_day INTEGER, at TIMESTAMPTZ)
RETURNS TIMESTAMPTZ
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog
AS $$
DECLARE
  -- Midnight at the beginning of days: of the one that contains the instant, and of the first of the next period.
  today TIMESTAMP;
  next TIMESTAMP;
  month TIMESTAMP;
  ends TIMESTAMPTZ;
  -- Instants in seconds, for the search.
  earlier BIGINT;
  later BIGINT;
  middle BIGINT;
BEGIN
  -- Postgres takes other names, too: "CET" is an abbreviation without summer time, and any word with a number is an offset.
  IF (time_zone ~ '^(UTC|[A-Za-z_]+(/[A-Za-z_-]+)+|Etc/GMT[+-](\d|1[0-4]))$') IS NOT TRUE THEN
    RAISE EXCEPTION 'Not the name of a time zone: %', coalesce(time_zone, 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF isfinite(at) IS NOT TRUE THEN
    RAISE EXCEPTION 'Not an instant: %', coalesce(at::text, 'NULL') USING ERRCODE = 'invalid_parameter_value';
  END IF;
  -- Fails if there is no such time zone.
  today := date_trunc('day', at AT TIME ZONE time_zone);
  CASE period
    WHEN 'day' THEN
    WHEN 'week' THEN
      IF (anchor_day BETWEEN 1 AND 7) IS NOT TRUE THEN
        RAISE EXCEPTION 'Not a day of the week: %', coalesce(anchor_day::text, 'NULL')
          USING ERRCODE = 'invalid_parameter_value';
      END IF;
    WHEN 'month' THEN
      IF (anchor_day BETWEEN 1 AND 31) IS NOT TRUE THEN
        RAISE EXCEPTION 'Not a day of the month: %', coalesce(anchor_day::text, 'NULL')
          USING ERRCODE = 'invalid_parameter_value';
      END IF;
    WHEN 'total' THEN
      RETURN 'infinity';
    ELSE
      RAISE EXCEPTION 'Not a period: %', coalesce(period, 'NULL') USING ERRCODE = 'invalid_parameter_value';
  END CASE;
  LOOP
    IF period = 'day' THEN
      next := today + interval '1 day';
    ELSIF period = 'week' THEN
      next := today + interval '1 day' * (7 - (extract(isodow FROM today)::integer - anchor_day + 7) % 7);
    ELSE
      month := date_trunc('month', today);
      next := least(month + interval '1 day' * (anchor_day - 1), month + interval '1 month -1 day');
      IF next <= today THEN
        month := month + interval '1 month';
        next := least(month + interval '1 day' * (anchor_day - 1), month + interval '1 month -1 day');
      END IF;
    END IF;

    ends := next AT TIME ZONE time_zone;
    -- Hours, since a day of an instant is one in the time zone of the session.
    IF ends AT TIME ZONE time_zone <> next
      OR (ends - interval '24 hours') AT TIME ZONE time_zone <> next - interval '1 day'
    THEN
      -- The clocks have changed during the day before. If they change after midnight, midnight is still by the old offset.
      ends := ends - interval '48 hours';
      ends := (next - (ends AT TIME ZONE time_zone - ends AT TIME ZONE 'UTC')) AT TIME ZONE 'UTC';
      IF ends AT TIME ZONE time_zone <> next THEN
        -- They change before midnight, or skip it. Days do not repeat then, so the first instant of this one can be searched.
        earlier := extract(epoch FROM ends)::bigint - 172800;
        later := earlier + 345600;
        WHILE later - earlier > 1 LOOP
          middle := (earlier + later) / 2;
          IF to_timestamp(middle) AT TIME ZONE time_zone < next THEN
            earlier := middle;
          ELSE
            later := middle;
          END IF;
        END LOOP;
        ends := to_timestamp(later);
      END IF;
    END IF;
    IF ends > at THEN
      RETURN ends;
    END IF;
    -- The clocks were turned back into the day before after this one had begun.
    today := next;
  END LOOP;
END
$$;
