-- What is used of quotas. The quotas themselves stand with their keys and clients.

-- A balance for the current period of each quota, and one for each grant.
CREATE TABLE sophra_api_keys.quota_balances (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- key/<id>/<name> or client/<id>/<name>.
  quota_id TEXT NOT NULL,
  -- The units of a grant. NULL: the balance of the period, whose amount stands with the quota.
  granted BIGINT CHECK (granted > 0),
  -- The units that processes have leased, including those that are spent.
  leased BIGINT NOT NULL DEFAULT 0,
  -- The units that processes have spent, as far as they said so.
  spent BIGINT NOT NULL DEFAULT 0,
  -- In the balance of a period: what was spent of grants meanwhile.
  spent_of_grants BIGINT NOT NULL DEFAULT 0,
  -- When the period or the grant ends; 'infinity': never.
  ends_at TIMESTAMPTZ NOT NULL,
  -- The digest of the idempotency key of a grant: one that is repeated with the same is not granted twice.
  idempotency_key BYTEA,
  changed_at TIMESTAMPTZ NOT NULL DEFAULT now()
-- Free space for the next version of each row, and no index on the columns that change often: updates are HOT.
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX quota_balances_period_idx ON sophra_api_keys.quota_balances (quota_id) WHERE granted IS NULL;
CREATE INDEX quota_balances_quota_idx ON sophra_api_keys.quota_balances (quota_id);
CREATE UNIQUE INDEX quota_balances_idempotency_key_idx ON sophra_api_keys.quota_balances (quota_id, idempotency_key)
WHERE idempotency_key IS NOT NULL;

-- What each process has leased of a balance, and spent of that. Both are sums that the process tells again and again, so
-- that no repetition of a statement counts twice.
CREATE TABLE sophra_api_keys.quota_leases (
  balance_id BIGINT NOT NULL REFERENCES sophra_api_keys.quota_balances ON DELETE CASCADE,
  process TEXT NOT NULL,
  -- The number of the statement that wrote the row last, counted by the process. Earlier ones that come late are ignored.
  revision BIGINT NOT NULL,
  leased BIGINT NOT NULL,
  spent BIGINT NOT NULL,
  changed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  PRIMARY KEY (balance_id, process)
) WITH (fillfactor = 50);

-- The amount of a quota and when its period ends that contains an instant. No row: there is no such quota. A fault: what is
-- stored is no quota.
CREATE FUNCTION sophra_api_keys.quota_terms(owner TEXT, owner_id TEXT, quota_name TEXT, at TIMESTAMPTZ)
RETURNS TABLE (amount BIGINT, period TEXT, ends_at TIMESTAMPTZ, fault TEXT)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  quotas JSONB;
  quota JSONB;
BEGIN
  IF owner = 'key' THEN
    SELECT key."quotas" INTO quotas FROM "ApiKey" AS key WHERE key."id" = owner_id;
  ELSE
    SELECT client.quotas INTO quotas FROM sophra_api_keys.clients AS client WHERE client.client_id = owner_id;
  END IF;
  SELECT entry INTO quota FROM jsonb_array_elements(quotas) AS entry WHERE entry ->> 'name' = quota_name LIMIT 1;
  IF quota IS NULL THEN
    RETURN;
  END IF;
  amount := (quota ->> 'amount')::bigint;
  IF jsonb_typeof(quota -> 'amount') <> 'number' OR amount NOT BETWEEN 0 AND 1000000000000 THEN
    RAISE numeric_value_out_of_range;
  END IF;
  period := quota ->> 'period';
  ends_at := sophra_api_keys.quota_period_end(
    period, coalesce(quota ->> 'timeZone', 'UTC'), coalesce((quota ->> 'anchorDay')::integer, 1), at
  );
  RETURN NEXT;
-- Another writer may store any JSON. One quota that cannot be read must not stop others in the same statement.
EXCEPTION WHEN OTHERS THEN
  amount := NULL;
  ends_at := NULL;
  fault := SQLSTATE;
  RETURN NEXT;
END
$$;

-- Whether the calendar of the database has the time zone.
CREATE FUNCTION sophra_api_keys.is_time_zone(zone TEXT) RETURNS BOOLEAN
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  PERFORM sophra_api_keys.quota_period_end('day', zone, 1, now());
  RETURN EXISTS (SELECT FROM pg_catalog.pg_timezone_names WHERE name = zone);
EXCEPTION WHEN invalid_parameter_value THEN
  RETURN false;
END
$$;

-- The microseconds until an instant; NULL if it never comes.
CREATE FUNCTION sophra_api_keys.microseconds_until(instant TIMESTAMPTZ, at TIMESTAMPTZ) RETURNS BIGINT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT CASE WHEN isfinite(instant) THEN (extract(epoch FROM instant - at) * 1000000)::bigint END
$$;

-- Locks a quota, so that processes take turns: the balance of its current period stands for the whole of it. Answers that balance
-- and the terms by which it was found. Without terms there is no such quota any more, or a fault. Fails if another session has
-- locked the quota for longer than `patience`, in milliseconds; NULL is a part of the time for the statement, and 0 waits for
-- no lock of a quota at all.
CREATE FUNCTION sophra_api_keys.lock_quota(
  owner TEXT, owner_id TEXT, quota_name TEXT, patience INTEGER,
  OUT balance_id BIGINT, OUT amount BIGINT, OUT ends_at TIMESTAMPTZ, OUT fault TEXT
)
LANGUAGE plpgsql
AS $$
DECLARE
  of_quota CONSTANT TEXT := owner || '/' || owner_id || '/' || quota_name;
  at TIMESTAMPTZ;
  terms RECORD;
  balance sophra_api_keys.quota_balances;
BEGIN
  -- A row that somebody has locked must not look like a server that does not answer.
  PERFORM set_config('lock_timeout', CASE
    WHEN patience IS NULL THEN (extract(epoch FROM current_setting('statement_timeout')::interval) * 250)::integer
    ELSE greatest(patience, 20)
  END::text, true);
  LOOP
    IF patience = 0 THEN
      SELECT * INTO balance FROM sophra_api_keys.quota_balances
      WHERE quota_id = of_quota AND granted IS NULL FOR NO KEY UPDATE SKIP LOCKED;
    ELSE
      SELECT * INTO balance FROM sophra_api_keys.quota_balances
      WHERE quota_id = of_quota AND granted IS NULL FOR NO KEY UPDATE;
    END IF;
    -- As they are while the balance is locked.
    at := clock_timestamp();
    SELECT * INTO terms FROM sophra_api_keys.quota_terms(owner, owner_id, quota_name, at);
    amount := terms.amount;
    ends_at := terms.ends_at;
    fault := terms.fault;
    IF ends_at IS NULL THEN
      balance_id := balance.id;
      RETURN;
    END IF;
    IF balance.ends_at > at AND balance.ends_at <> ends_at THEN
      -- The period was changed. What was used stays used, unless that was before the new period began.
      SELECT * INTO terms FROM sophra_api_keys.quota_terms(owner, owner_id, quota_name, balance.changed_at);
      balance.ends_at := CASE WHEN terms.ends_at > at THEN ends_at ELSE at END;
      UPDATE sophra_api_keys.quota_balances AS known SET ends_at = balance.ends_at WHERE known.id = balance.id;
    END IF;
    IF balance.ends_at > at THEN
      balance_id := balance.id;
      RETURN;
    END IF;
    DELETE FROM sophra_api_keys.quota_balances AS known WHERE known.id = balance.id;
    INSERT INTO sophra_api_keys.quota_balances (quota_id, ends_at) VALUES (of_quota, ends_at)
    ON CONFLICT (quota_id) WHERE granted IS NULL DO NOTHING;
    IF NOT FOUND AND patience = 0 THEN
      RAISE lock_not_available;
    END IF;
  END LOOP;
END
$$;

-- Takes over what a process says that it has spent of a quota, and leases it units: so that it has `wanted` unspent units
-- afterwards, if there are as many. `needed` of them are for one request that waits. Units are taken back only if the process
-- says that it spends none meanwhile (`isStill`): those beyond `wanted`, and those of an amount that was lowered.
--
-- A process has a tenth of the quota at most, but at least one unit, and what one request needs. The fewer units are left the
-- fewer it gets at once, so that the last ones are not all with one process. If what one request needs is with others, and more
-- than `unreturned` is, these are notified: they give back what they do not spend.
CREATE FUNCTION sophra_api_keys.lease_quota_unless_locked(
  of_process TEXT, of_revision BIGINT, request JSONB, patience INTEGER
) RETURNS JSONB
LANGUAGE plpgsql
AS $$
DECLARE
  needed CONSTANT BIGINT := request ->> 'needed';
  is_still CONSTANT BOOLEAN := request ->> 'isStill';
  owner CONSTANT TEXT := request ->> 'owner';
  owner_id CONSTANT TEXT := request ->> 'ownerId';
  quota_name CONSTANT TEXT := request ->> 'name';
  unreturned CONSTANT BIGINT := request ->> 'unreturned';
  wanted BIGINT := request ->> 'wanted';
  short BIGINT;
  quota RECORD;
  part RECORD;
  at TIMESTAMPTZ;
  -- For each balance, in the order of its use: what all processes and this one have of it, and have spent.
  ids BIGINT[] := '{}';
  capacities BIGINT[] := '{}';
  taken BIGINT[] := '{}';
  used BIGINT[] := '{}';
  own BIGINT[] := '{}';
  own_spent BIGINT[] := '{}';
  ends_in BIGINT[] := '{}';
  is_over BOOLEAN[] := '{}';
  is_changed BOOLEAN[] := '{}';
  used_of_grants BIGINT := 0;
  more_spent BIGINT;
  change BIGINT;
  unspent BIGINT := 0;
  free BIGINT := 0;
  total BIGINT := 0;
  missing BIGINT;
  last INTEGER := 0;
  place INTEGER;
  leases JSONB := '[]';
  withheld BIGINT := 0;
BEGIN
  SELECT * INTO quota FROM sophra_api_keys.lock_quota(owner, owner_id, quota_name, patience);
  at := clock_timestamp();
  IF quota.ends_at IS NULL THEN
    -- What was spent of a quota that is gone, or cannot be read, counts if it comes back.
    wanted := 0;
  END IF;

  FOR part IN
    SELECT balance.id, balance.granted IS NOT NULL AS is_grant, coalesce(balance.granted, quota.amount, 0) AS capacity,
      balance.leased, balance.spent, balance.ends_at,
      coalesce(lease.leased, 0) AS own, coalesce(lease.spent, 0) AS own_spent, lease.revision, said.spent AS said
    FROM sophra_api_keys.quota_balances AS balance
    LEFT JOIN sophra_api_keys.quota_leases AS lease ON lease.balance_id = balance.id AND lease.process = of_process
    LEFT JOIN jsonb_to_recordset(request -> 'held') AS said (balance BIGINT, spent BIGINT) ON said.balance = balance.id
    WHERE balance.quota_id = owner || '/' || owner_id || '/' || quota_name
      -- What was spent of a grant that has ended since is told, too.
      AND (balance.ends_at > at OR said.balance IS NOT NULL)
    ORDER BY balance.granted IS NOT NULL, balance.ends_at, balance.id
  LOOP
    -- A statement that nobody waits for any more comes after later ones.
    IF part.revision > of_revision THEN
      RETURN pg_catalog.jsonb_build_object('isSuperseded', true);
    END IF;
    last := last + 1;
    more_spent := coalesce(part.said - part.own_spent, 0);
    IF part.is_grant THEN
      used_of_grants := used_of_grants + more_spent;
    END IF;
    -- After a failover the database may not know of the lease, and units that were spent are spent.
    change := greatest(part.own_spent + more_spent - part.own, 0);
    IF is_still THEN
      change := change - greatest(least(
        part.own + change - part.own_spent - more_spent,
        part.leased + change - part.capacity
      ), 0);
    END IF;
    ids[last] := part.id;
    capacities[last] := part.capacity;
    taken[last] := part.leased + change;
    used[last] := part.spent + more_spent;
    own[last] := part.own + change;
    own_spent[last] := part.own_spent + more_spent;
    ends_in[last] := sophra_api_keys.microseconds_until(part.ends_at, at);
    is_over[last] := part.ends_at <= at;
    -- Also the number of the statement, for as long as the process has something.
    is_changed[last] := change <> 0 OR more_spent <> 0 OR part.own > part.own_spent;
    IF NOT is_over[last] THEN
      unspent := unspent + own[last] - own_spent[last];
      free := free + greatest(part.capacity - taken[last], 0);
      total := total + part.capacity;
    END IF;
  END LOOP;

  short := needed - unspent - free;
  missing := least(wanted, greatest(total / 10, needed, 1)) - unspent;
  IF missing > 0 THEN
    missing := least(missing, greatest(free / 8, 1));
    IF needed > unspent + missing AND needed <= unspent + free THEN
      missing := needed - unspent;
    END IF;
  ELSIF NOT is_still THEN
    missing := 0;
  END IF;
  FOR step IN 1..last LOOP
    -- Taken in the order of their use, and given back the other way round.
    place := CASE WHEN missing > 0 THEN step ELSE last + 1 - step END;
    change := CASE
      WHEN is_over[place] THEN 0
      WHEN missing > 0 THEN least(missing, greatest(capacities[place] - taken[place], 0))
      ELSE -least(-missing, own[place] - own_spent[place])
    END;
    missing := missing - change;
    taken[place] := taken[place] + change;
    own[place] := own[place] + change;
    is_changed[place] := is_changed[place] OR change <> 0;
  END LOOP;

  free := 0;
  FOR place IN 1..last LOOP
    IF is_changed[place] THEN
      UPDATE sophra_api_keys.quota_balances AS balance
      SET leased = taken[place], spent = used[place], changed_at = now()
      WHERE balance.id = ids[place];
      INSERT INTO sophra_api_keys.quota_leases AS known (balance_id, process, revision, leased, spent)
      VALUES (ids[place], of_process, of_revision, own[place], own_spent[place])
      ON CONFLICT (balance_id, process) DO UPDATE SET
        revision = excluded.revision, leased = excluded.leased, spent = excluded.spent, changed_at = now();
    END IF;
    CONTINUE WHEN is_over[place];
    free := free + greatest(capacities[place] - taken[place], 0);
    withheld := withheld + taken[place] - used[place] - (own[place] - own_spent[place]);
    IF own[place] > 0 THEN
      leases := leases || pg_catalog.jsonb_build_object(
        'balance', ids[place], 'leased', own[place], 'spent', own_spent[place], 'endsInUs', ends_in[place]
      );
    END IF;
  END LOOP;
  IF used_of_grants <> 0 THEN
    UPDATE sophra_api_keys.quota_balances AS balance
    SET spent_of_grants = greatest(balance.spent_of_grants + used_of_grants, 0)
    WHERE balance.id = quota.balance_id;
  END IF;
  -- What is sent must be shorter than 8,000 bytes: only another writer stores longer ids.
  IF short > 0 AND short <= withheld - unreturned AND octet_length(owner_id) < 7000 THEN
    PERFORM pg_notify('sophra_api_keys', owner || '/' || owner_id || '/' || quota_name);
  END IF;

  RETURN pg_catalog.jsonb_build_object(
    'isGone', quota.ends_at IS NULL AND quota.fault IS NULL,
    'fault', quota.fault,
    'amount', coalesce(quota.amount, 0),
    'resetsInUs', sophra_api_keys.microseconds_until(quota.ends_at, at),
    'free', CASE WHEN quota.ends_at IS NULL THEN 0 ELSE free END,
    'withheld', withheld,
    'leases', leases
  );
END
$$;

-- The same, or that the quota is locked. One that is must not stop others in the same statement.
CREATE FUNCTION sophra_api_keys.lease_quota(of_process TEXT, of_revision BIGINT, request JSONB, patience INTEGER) RETURNS JSONB
LANGUAGE plpgsql
-- Its statements find single rows by their keys: planning them takes longer than running them.
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN sophra_api_keys.lease_quota_unless_locked(of_process, of_revision, request, patience);
EXCEPTION WHEN lock_not_available THEN
  RETURN pg_catalog.jsonb_build_object('isLocked', true);
END
$$;

-- What is used of a quota and what is left; NULL if there is no such quota.
CREATE FUNCTION sophra_api_keys.quota_state(owner TEXT, owner_id TEXT, quota_name TEXT) RETURNS JSONB
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  at CONSTANT TIMESTAMPTZ := clock_timestamp();
  of_quota CONSTANT TEXT := owner || '/' || owner_id || '/' || quota_name;
  terms RECORD;
BEGIN
  SELECT * INTO terms FROM sophra_api_keys.quota_terms(owner, owner_id, quota_name, at);
  IF terms IS NULL THEN
    RETURN NULL;
  END IF;
  RETURN (
    WITH sums AS (
      SELECT
        coalesce(sum(spent) FILTER (WHERE granted IS NULL), 0) AS spent,
        coalesce(sum(spent_of_grants), 0) AS spent_of_grants,
        coalesce(sum(granted - spent), 0) AS granted,
        coalesce(sum(leased - spent), 0) AS withheld
      FROM sophra_api_keys.quota_balances
      WHERE quota_id = of_quota AND ends_at > at
    ), left_over AS (
      SELECT *, greatest(terms.amount - spent, 0) + granted AS remaining FROM sums
    )
    SELECT pg_catalog.jsonb_build_object(
      'name', quota_name,
      'amount', terms.amount,
      'period', terms.period,
      'used', spent + spent_of_grants,
      'granted', granted,
      'remaining', remaining,
      -- Not what a lowered amount has taken away.
      'withheld', least(withheld, remaining),
      'resetsAt', CASE WHEN isfinite(terms.ends_at) THEN (extract(epoch FROM terms.ends_at) * 1000)::bigint END,
      'fault', terms.fault
    )
    FROM left_over
  );
END
$$;

-- Adds a grant, unless it was added with the same idempotency key before, and answers what became of it: granted, repeated,
-- reused (the key came with another amount) or full (there are as many grants that are not used up as there may be). NULL: there is no such
-- quota.
CREATE FUNCTION sophra_api_keys.grant_quota(
  owner TEXT, owner_id TEXT, quota_name TEXT, units BIGINT, until TIMESTAMPTZ, of_key BYTEA, most INTEGER
) RETURNS TEXT
LANGUAGE plpgsql
AS $$
DECLARE
  of_quota CONSTANT TEXT := owner || '/' || owner_id || '/' || quota_name;
  quota RECORD;
  before RECORD;
BEGIN
  SELECT * INTO quota FROM sophra_api_keys.lock_quota(owner, owner_id, quota_name, NULL);
  IF quota.fault IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = quota.fault, MESSAGE = 'What is stored is no quota';
  END IF;
  IF quota.ends_at IS NULL THEN
    RETURN NULL;
  END IF;
  SELECT granted INTO before FROM sophra_api_keys.quota_balances WHERE quota_id = of_quota AND idempotency_key = of_key;
  IF FOUND THEN
    -- An expiry may be reckoned from the time of each call.
    RETURN CASE WHEN before.granted = units THEN 'repeated' ELSE 'reused' END;
  END IF;
  IF (
    SELECT count(*) FROM sophra_api_keys.quota_balances
    WHERE quota_id = of_quota AND granted > spent AND ends_at > clock_timestamp()
  ) >= most THEN
    RETURN 'full';
  END IF;
  INSERT INTO sophra_api_keys.quota_balances (quota_id, granted, ends_at, idempotency_key)
  VALUES (of_quota, units, until, of_key);
  RETURN 'granted';
END
$$;

-- A grant is a change of the key or client: every process must learn that there is more.
CREATE FUNCTION sophra_api_keys.note_grant() RETURNS trigger
LANGUAGE plpgsql
-- A role that may grant needs no rights on the change log.
SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
  INSERT INTO sophra_api_keys.changes (key_id, client_id) VALUES (
    substring(NEW.quota_id FROM '^key/(.*)/[^/]*$'),
    substring(NEW.quota_id FROM '^client/(.*)/[^/]*$')
  );
  PERFORM pg_notify('sophra_api_keys', '');
  RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION sophra_api_keys.note_grant() FROM PUBLIC;

CREATE TRIGGER sophra_api_keys_grant
AFTER INSERT ON sophra_api_keys.quota_balances
FOR EACH ROW
WHEN (NEW.granted IS NOT NULL)
EXECUTE FUNCTION sophra_api_keys.note_grant();
ALTER TABLE sophra_api_keys.quota_balances ENABLE ALWAYS TRIGGER sophra_api_keys_grant;
