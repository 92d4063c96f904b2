-- Settings of clients, whom keys name in "clientId". There is a row only for a client with something to say: keys of all
-- others need none.

CREATE TABLE sophra_api_keys.clients (
  client_id TEXT PRIMARY KEY,
  name TEXT,
  is_active BOOLEAN NOT NULL DEFAULT true,
  metadata JSONB,
  -- Empty: every address.
  allowed_ips TEXT[] NOT NULL DEFAULT '{}',
  -- Limits that all keys of the client share: [{ "name", "limit", "windowSeconds", "suspends" }].
  limits JSONB NOT NULL DEFAULT '[]',
  -- Quotas that all keys of the client share: [{ "name", "amount", "period", "timeZone", "anchorDay" }].
  quotas JSONB NOT NULL DEFAULT '[]',
  -- The most keys that the client may have; NULL: any number.
  max_keys INTEGER,
  -- The client whose settings hold for this one and its keys, too.
  parent_id TEXT CONSTRAINT clients_parent_fkey REFERENCES sophra_api_keys.clients,
  -- UTC.
  created_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
  updated_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')
);
CREATE INDEX clients_parent_idx ON sophra_api_keys.clients (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX clients_created_idx ON sophra_api_keys.clients (created_at, client_id);

-- A client, its parent and its grandparent are all levels that there are. Whoever writes the table, a verify can rely on it.
CREATE FUNCTION sophra_api_keys.check_parent() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog
AS $$
DECLARE
  levels CONSTANT INTEGER := 3;
  above INTEGER;
  below INTEGER;
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.client_id = OLD.client_id AND NEW.parent_id = OLD.parent_id THEN
    -- It was checked when it was written. So other changes of clients with parents need not take turns.
    RETURN NULL;
  END IF;
  -- Two changes that are right alone may be a cycle together.
  PERFORM pg_advisory_xact_lock(hashtextextended('sophra_api_keys.clients.parent_id', 0));
  WITH RECURSIVE ancestors (client_id, depth) AS (
    SELECT NEW.parent_id, 1
    UNION ALL
    SELECT client.parent_id, depth + 1
    FROM ancestors JOIN sophra_api_keys.clients AS client ON client.client_id = ancestors.client_id
    WHERE client.parent_id IS NOT NULL AND ancestors.client_id <> NEW.client_id AND depth < levels
  )
  SELECT CASE WHEN bool_or(client_id = NEW.client_id) THEN levels ELSE max(depth) END INTO above FROM ancestors;
  WITH RECURSIVE descendants (client_id, depth) AS (
    SELECT NEW.client_id, 0
    UNION ALL
    SELECT client.client_id, depth + 1
    FROM descendants JOIN sophra_api_keys.clients AS client ON client.parent_id = descendants.client_id
    WHERE depth < levels
  )
  SELECT max(depth) INTO below FROM descendants;
  IF above + below >= levels THEN
    RAISE EXCEPTION 'The parents of client % would form a cycle, or more than % levels', NEW.client_id, levels
      USING ERRCODE = 'check_violation', SCHEMA = 'sophra_api_keys', TABLE = 'clients', CONSTRAINT = 'clients_parent_levels';
  END IF;
  RETURN NULL;
END
$$;

-- After the row is written, so that it does not matter how.
CREATE TRIGGER sophra_api_keys_parent
AFTER INSERT OR UPDATE OF client_id, parent_id ON sophra_api_keys.clients
FOR EACH ROW
WHEN (NEW.parent_id IS NOT NULL)
EXECUTE FUNCTION sophra_api_keys.check_parent();

-- The client that has changed. A row of the change log without a key and without a client stands for everything.
ALTER TABLE sophra_api_keys.changes ADD COLUMN client_id TEXT;

-- The trigger of the change log. A process of an older version takes a change of a client for one of all keys.
CREATE FUNCTION sophra_api_keys.note_client_change() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO sophra_api_keys.changes (client_id) VALUES (NULL);
  ELSE
    IF TG_OP <> 'INSERT' THEN
      INSERT INTO sophra_api_keys.changes (client_id) VALUES (OLD.client_id);
    END IF;
    IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW.client_id <> OLD.client_id) THEN
      INSERT INTO sophra_api_keys.changes (client_id) VALUES (NEW.client_id);
    END IF;
  END IF;
  PERFORM pg_notify('sophra_api_keys', '');
  RETURN NULL;
END
$$;

CREATE TRIGGER sophra_api_keys_change
AFTER INSERT OR DELETE ON sophra_api_keys.clients
FOR EACH ROW EXECUTE FUNCTION sophra_api_keys.note_client_change();

CREATE TRIGGER sophra_api_keys_update
AFTER UPDATE ON sophra_api_keys.clients
FOR EACH ROW
WHEN (
  OLD.client_id IS DISTINCT FROM NEW.client_id
  OR OLD.is_active IS DISTINCT FROM NEW.is_active
  OR OLD.metadata IS DISTINCT FROM NEW.metadata
  OR OLD.allowed_ips IS DISTINCT FROM NEW.allowed_ips
  OR OLD.limits IS DISTINCT FROM NEW.limits
  OR OLD.quotas IS DISTINCT FROM NEW.quotas
  OR OLD.parent_id IS DISTINCT FROM NEW.parent_id
)
EXECUTE FUNCTION sophra_api_keys.note_client_change();

CREATE TRIGGER sophra_api_keys_truncate
AFTER TRUNCATE ON sophra_api_keys.clients
FOR EACH STATEMENT EXECUTE FUNCTION sophra_api_keys.note_client_change();

-- Replication and tools that switch triggers off must not hide a change, nor let a wrong parent in.
ALTER TABLE sophra_api_keys.clients
  ENABLE ALWAYS TRIGGER sophra_api_keys_parent,
  ENABLE ALWAYS TRIGGER sophra_api_keys_change,
  ENABLE ALWAYS TRIGGER sophra_api_keys_update,
  ENABLE ALWAYS TRIGGER sophra_api_keys_truncate;

REVOKE EXECUTE ON FUNCTION sophra_api_keys.check_parent(), sophra_api_keys.note_client_change() FROM PUBLIC;

-- What a verify needs of a client and its ancestors, the client first; NULL if it has no row. The metadata is text, so that
-- its numbers stay as they are.
CREATE FUNCTION sophra_api_keys.client_levels(of_client TEXT) RETURNS JSONB
LANGUAGE plpgsql STABLE STRICT
AS $$
BEGIN
  RETURN (
    WITH RECURSIVE levels AS (
      SELECT 1 AS depth, client.* FROM sophra_api_keys.clients AS client WHERE client.client_id = of_client
      UNION ALL
      SELECT depth + 1, client.*
      FROM levels JOIN sophra_api_keys.clients AS client ON client.client_id = levels.parent_id
      WHERE depth < 3
    )
    SELECT jsonb_agg(
      pg_catalog.jsonb_build_object(
        'clientId', client_id,
        'isActive', is_active,
        'parentId', parent_id,
        'metadata', metadata::text,
        'allowedIps', ARRAY(SELECT coalesce(address, '') FROM unnest(allowed_ips) AS address),
        'limits', limits::text,
        'quotas', quotas::text,
        'fleet', sophra_api_keys.fleet_totals('client/' || client_id || '/', nullif(limits, '[]')),
        'changedAgoNs', sophra_api_keys.nanoseconds_since(updated_at)
      )
      ORDER BY depth
    )
    FROM levels
  );
END
$$;

-- Whether a client may have one more key. Its row stays locked until the transaction ends, so that creations at the same
-- time count each other.
CREATE FUNCTION sophra_api_keys.client_has_room(of_client TEXT) RETURNS BOOLEAN
LANGUAGE plpgsql STRICT
AS $$
DECLARE
  most INTEGER;
BEGIN
  -- A part of the time for the statement: a row that somebody has locked must not look like a server that does not answer.
  PERFORM set_config(
    'lock_timeout',
    (extract(epoch FROM current_setting('statement_timeout')::interval) * 250)::integer::text,
    true
  );
  SELECT max_keys INTO most FROM sophra_api_keys.clients
  WHERE client_id = of_client AND max_keys IS NOT NULL
  FOR NO KEY UPDATE;
  -- Counted by a statement of its own, which sees what was committed while this one waited for the lock.
  RETURN most IS NULL OR (
    SELECT count(*)
    FROM (SELECT FROM "ApiKey" WHERE "clientId" = of_client AND "revokedAt" IS NULL LIMIT greatest(most, 0)) AS counted
  ) < most;
END
$$;
