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
  changed_at TIMESTAMPTZ NOT NULL DEFAULT now()
-- Free space for the next version of each row, and no index on the columns that change often: updates are HOT.
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX quota_balances_period_idx ON sophra_api_keys.quota_balances (quota_id) WHERE granted IS NULL;
CREATE INDEX quota_balances_grants_idx ON sophra_api_keys.quota_balances (quota_id, id) WHERE granted IS NOT NULL;
CREATE INDEX quota_balances_ends_idx ON sophra_api_keys.quota_balances (ends_at);

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

-- The amount of a quota and when its period ends, as of now. No row: there is no such quota. A fault: what is stored is no
-- quota.
CREATE FUNCTION sophra_api_keys.quota_terms(owner TEXT, owner_id TEXT, quota_name TEXT)
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
  IF amount NOT BETWEEN 0 AND 1000000000000 THEN
    RAISE numeric_value_out_of_range;
  END IF;
  period := quota ->> 'period';
  ends_at := sophra_api_keys.quota_period_end(
    period, coalesce(quota ->> 'timeZone', 'UTC'), coalesce((quota ->> 'anchorDay')::integer, 1), clock_timestamp()
  );
  RETURN NEXT;
-- Another writer may store any JSON. One quota that cannot be read must not stop others in the same statement.
EXCEPTION WHEN OTHERS THEN
  fault := SQLSTATE;
  RETURN NEXT;
END
$$;

-- The microseconds until an instant; NULL if it never comes.
CREATE FUNCTION sophra_api_keys.microseconds_until(instant TIMESTAMPTZ, at TIMESTAMPTZ) RETURNS BIGINT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT CASE WHEN isfinite(instant) THEN (extract(epoch FROM instant - at) * 1000000)::bigint END
$$;

-- Locks a quota, so that processes take turns: the balance of its current period stands for the whole of it. Answers that balance
-- and the terms by which it was found. Without a balance there is no such quota, or a fault, or `waits` is false and another
-- session has locked it.
CREATE FUNCTION sophra_api_keys.lock_quota(
  owner TEXT, owner_id TEXT, quota_name TEXT, waits BOOLEAN,
  OUT balance_id BIGINT, OUT amount BIGINT, OUT ends_at TIMESTAMPTZ, OUT fault TEXT
)
LANGUAGE plpgsql
AS $$
DECLARE
  of_quota CONSTANT TEXT := concat_ws('/', owner, owner_id, quota_name);
  terms RECORD;
  balance sophra_api_keys.quota_balances;
BEGIN
  IF waits THEN
    -- A part of the time for the statement: a row that somebody has locked must not look like a server that does not answer.
    PERFORM set_config(
      'lock_timeout',
      (extract(epoch FROM current_setting('statement_timeout')::interval) * 250)::integer::text,
      true
    );
  END IF;
  LOOP
    IF waits THEN
      SELECT * INTO balance FROM sophra_api_keys.quota_balances
      WHERE quota_id = of_quota AND granted IS NULL FOR NO KEY UPDATE;
    ELSE
      SELECT * INTO balance FROM sophra_api_keys.quota_balances
      WHERE quota_id = of_quota AND granted IS NULL FOR NO KEY UPDATE SKIP LOCKED;
    END IF;
    -- As they are while the balance is locked.
    SELECT * INTO terms FROM sophra_api_keys.quota_terms(owner, owner_id, quota_name);
    amount := terms.amount;
    ends_at := terms.ends_at;
    fault := terms.fault;
    IF ends_at IS NULL THEN
      RETURN;
    END IF;
    IF balance.ends_at > clock_timestamp() THEN
      balance_id := balance.id;
      -- What was used stays used if the period was changed.
      IF balance.ends_at <> terms.ends_at THEN
        UPDATE sophra_api_keys.quota_balances AS known SET ends_at = terms.ends_at WHERE known.id = balance.id;
      END IF;
      RETURN;
    END IF;
    DELETE FROM sophra_api_keys.quota_balances AS known WHERE known.id = balance.id;
    INSERT INTO sophra_api_keys.quota_balances (quota_id, ends_at) VALUES (of_quota, terms.ends_at)
    ON CONFLICT (quota_id) WHERE granted IS NULL DO NOTHING;
    IF NOT FOUND AND NOT waits THEN
      RETURN;
    END IF;
  END LOOP;
END
$$;

-- The balances of a quota that units can be taken from, in the order of their use, and what a process has of them.
CREATE FUNCTION sophra_api_keys.quota_parts(of_quota TEXT, of_process TEXT, amount BIGINT, at TIMESTAMPTZ)
RETURNS TABLE (
  id BIGINT, is_grant BOOLEAN, capacity BIGINT, leased BIGINT, spent BIGINT, ends_at TIMESTAMPTZ, own BIGINT, own_spent BIGINT, place BIGINT
)
LANGUAGE sql STABLE
AS $$
  SELECT balance.id, balance.granted IS NOT NULL, coalesce(balance.granted, amount), balance.leased, balance.spent, balance.ends_at,
    coalesce(lease.leased, 0), coalesce(lease.spent, 0),
    row_number() OVER (ORDER BY balance.granted IS NOT NULL, balance.ends_at, balance.id)
  FROM sophra_api_keys.quota_balances AS balance
  LEFT JOIN sophra_api_keys.quota_leases AS lease ON lease.balance_id = balance.id AND lease.process = of_process
  WHERE balance.quota_id = of_quota AND balance.ends_at > at
$$;

-- Writes what a process has leased and spent of a balance.
CREATE FUNCTION sophra_api_keys.write_lease(
  of_balance BIGINT, of_process TEXT, of_revision BIGINT, more_leased BIGINT, more_spent BIGINT
) RETURNS VOID
LANGUAGE plpgsql
AS $$
BEGIN
  UPDATE sophra_api_keys.quota_balances
  SET leased = leased + more_leased, spent = spent + more_spent, changed_at = now()
  WHERE id = of_balance;
  INSERT INTO sophra_api_keys.quota_leases AS known (balance_id, process, revision, leased, spent)
  VALUES (of_balance, of_process, of_revision, more_leased, more_spent)
  ON CONFLICT (balance_id, process) DO UPDATE SET
    revision = excluded.revision,
    leased = known.leased + excluded.leased,
    spent = known.spent + excluded.spent,
    changed_at = now();
END
$$;

-- Takes over what a process says that it has spent of a quota, and leases it units or takes back those that it does not need:
-- so that it has `wanted` unspent units afterwards, if there are as many. `needed` of them are for one request that waits.
--
-- A process has a tenth of the quota at most, but at least one unit, and what one request needs. The fewer units are left the
-- fewer it gets at once, so that the last ones are not all with one process.
CREATE FUNCTION sophra_api_keys.lease_quota(of_process TEXT, of_revision BIGINT, request JSONB, waits BOOLEAN) RETURNS JSONB
LANGUAGE plpgsql
AS $$
DECLARE
  wanted CONSTANT BIGINT := request ->> 'wanted';
  needed CONSTANT BIGINT := request ->> 'needed';
  of_quota CONSTANT TEXT := concat_ws('/', request ->> 'owner', request ->> 'ownerId', request ->> 'name');
  quota RECORD;
  held RECORD;
  part RECORD;
  at TIMESTAMPTZ;
  unspent BIGINT;
  free BIGINT;
  total BIGINT;
  missing BIGINT;
  change BIGINT;
BEGIN
  SELECT * INTO quota
  FROM sophra_api_keys.lock_quota(request ->> 'owner', request ->> 'ownerId', request ->> 'name', waits);
  IF quota.balance_id IS NULL THEN
    RETURN jsonb_build_object('isLocked', quota.ends_at IS NOT NULL, 'fault', quota.fault);
  END IF;
  at := clock_timestamp();

  FOR held IN
    SELECT parts.id, parts.is_grant, greatest(said.spent - parts.own, 0) AS more_leased, said.spent - parts.own_spent AS more_spent,
      lease.revision
    FROM jsonb_to_recordset(request -> 'held') AS said (balance BIGINT, spent BIGINT)
    JOIN sophra_api_keys.quota_parts(of_quota, of_process, quota.amount, at) AS parts ON parts.id = said.balance
    LEFT JOIN sophra_api_keys.quota_leases AS lease ON lease.balance_id = parts.id AND lease.process = of_process
  LOOP
    -- A statement that nobody waits for any more comes after later ones.
    IF held.revision > of_revision THEN
      RETURN jsonb_build_object('isSuperseded', true);
    END IF;
    -- After a failover the database may not know of the lease, and units that were spent are spent.
    PERFORM sophra_api_keys.write_lease(held.id, of_process, of_revision, held.more_leased, held.more_spent);
    IF held.is_grant THEN
      UPDATE sophra_api_keys.quota_balances
      SET spent_of_grants = greatest(spent_of_grants + held.more_spent, 0)
      WHERE id = quota.balance_id;
    END IF;
  END LOOP;

  -- The units of an amount that was lowered are gone, whoever has leased them.
  SELECT least(own - own_spent, leased - capacity) INTO change
  FROM sophra_api_keys.quota_parts(of_quota, of_process, quota.amount, at)
  WHERE NOT is_grant;
  IF change > 0 THEN
    PERFORM sophra_api_keys.write_lease(quota.balance_id, of_process, of_revision, -change, 0);
  END IF;

  SELECT sum(own - own_spent), sum(greatest(capacity - leased, 0)), sum(capacity) INTO unspent, free, total
  FROM sophra_api_keys.quota_parts(of_quota, of_process, quota.amount, at);
  missing := least(wanted, greatest(total / 10, needed, 1)) - unspent;
  IF missing > 0 THEN
    missing := least(missing, greatest(free / 8, 1));
    IF needed > unspent + missing AND needed <= unspent + free THEN
      missing := needed - unspent;
    END IF;
  END IF;
  -- Taken in the order of their use, and given back the other way round.
  FOR part IN
    SELECT * FROM sophra_api_keys.quota_parts(of_quota, of_process, quota.amount, at)
    ORDER BY CASE WHEN missing > 0 THEN place ELSE -place END
  LOOP
    change := CASE
      WHEN missing > 0 THEN least(missing, greatest(part.capacity - part.leased, 0))
      ELSE -least(-missing, part.own - part.own_spent)
    END;
    IF change <> 0 THEN
      PERFORM sophra_api_keys.write_lease(part.id, of_process, of_revision, change, 0);
    END IF;
    missing := missing - change;
  END LOOP;

  RETURN (
    SELECT jsonb_build_object(
      'amount', quota.amount,
      'resetsInUs', sophra_api_keys.microseconds_until(quota.ends_at, at),
      'free', sum(greatest(capacity - leased, 0)),
      'withheld', sum(leased - spent - (own - own_spent)),
      'leases', coalesce(jsonb_agg(
        jsonb_build_object(
          'balance', id,
          'leased', own,
          'spent', own_spent,
          'endsInUs', sophra_api_keys.microseconds_until(ends_at, at)
        )
        ORDER BY place
      ) FILTER (WHERE own > 0), '[]')
    )
    FROM sophra_api_keys.quota_parts(of_quota, of_process, quota.amount, at)
  );
END
$$;

-- What is used of a quota and what is left; NULL if there is no such quota.
CREATE FUNCTION sophra_api_keys.quota_state(owner TEXT, owner_id TEXT, quota_name TEXT) RETURNS JSONB
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  at CONSTANT TIMESTAMPTZ := clock_timestamp();
  of_quota CONSTANT TEXT := concat_ws('/', owner, owner_id, quota_name);
  terms RECORD;
BEGIN
  SELECT * INTO terms FROM sophra_api_keys.quota_terms(owner, owner_id, quota_name);
  IF terms IS NULL THEN
    RETURN NULL;
  END IF;
  RETURN (
    SELECT jsonb_build_object(
      'name', quota_name,
      'amount', terms.amount,
      'period', terms.period,
      'used', coalesce(sum(spent + spent_of_grants) FILTER (WHERE granted IS NULL), 0),
      'granted', coalesce(sum(granted - spent), 0),
      'remaining',
        greatest(terms.amount - coalesce(sum(spent) FILTER (WHERE granted IS NULL), 0), 0) + coalesce(sum(granted - spent), 0),
      'withheld', coalesce(sum(leased - spent), 0),
      'resetsAt', CASE WHEN isfinite(terms.ends_at) THEN (extract(epoch FROM terms.ends_at) * 1000)::bigint END,
      'fault', terms.fault
    )
    FROM sophra_api_keys.quota_balances
    WHERE quota_id = of_quota AND ends_at > at
  );
END
$$;

-- Adds a grant. Answers how many grants of the quota are not used up, with this one; if they were as many before as there may
-- be, none is added. NULL: there is no such quota.
CREATE FUNCTION sophra_api_keys.grant_quota(
  owner TEXT, owner_id TEXT, quota_name TEXT, units BIGINT, until TIMESTAMPTZ, most INTEGER
) RETURNS BIGINT
LANGUAGE plpgsql
AS $$
DECLARE
  of_quota CONSTANT TEXT := concat_ws('/', owner, owner_id, quota_name);
  quota RECORD;
  grants BIGINT;
BEGIN
  SELECT * INTO quota FROM sophra_api_keys.lock_quota(owner, owner_id, quota_name, true);
  IF quota.fault IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = quota.fault, MESSAGE = 'What is stored is no quota';
  END IF;
  IF quota.balance_id IS NULL THEN
    RETURN NULL;
  END IF;
  SELECT count(*) + 1 INTO grants FROM sophra_api_keys.quota_balances
  WHERE quota_id = of_quota AND granted > spent AND ends_at > clock_timestamp();
  IF grants <= most THEN
    INSERT INTO sophra_api_keys.quota_balances (quota_id, granted, ends_at) VALUES (of_quota, units, until);
  END IF;
  RETURN grants;
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
