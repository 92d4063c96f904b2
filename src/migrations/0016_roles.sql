-- Roles: named sets of scopes. A key names roles in "roles" and holds their scopes beside its own.

CREATE TABLE sophra_api_keys.roles (
  name TEXT PRIMARY KEY,
  scopes TEXT[] NOT NULL DEFAULT '{}',
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- The role that has changed. A process of an older version takes it for a change of all keys.
ALTER TABLE sophra_api_keys.changes ADD COLUMN role TEXT;

-- The trigger of the change log.
CREATE FUNCTION sophra_api_keys.note_role_change() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO sophra_api_keys.changes (role) VALUES (NULL);
  ELSE
    IF TG_OP <> 'INSERT' THEN
      INSERT INTO sophra_api_keys.changes (role) VALUES (OLD.name);
    END IF;
    IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW.name <> OLD.name) THEN
      INSERT INTO sophra_api_keys.changes (role) VALUES (NEW.name);
    END IF;
  END IF;
  PERFORM pg_notify('sophra_api_keys', '');
  RETURN NULL;
END
$$;

CREATE TRIGGER sophra_api_keys_change
AFTER INSERT OR DELETE ON sophra_api_keys.roles
FOR EACH ROW EXECUTE FUNCTION sophra_api_keys.note_role_change();

CREATE TRIGGER sophra_api_keys_update
AFTER UPDATE ON sophra_api_keys.roles
FOR EACH ROW
WHEN (OLD.name IS DISTINCT FROM NEW.name OR OLD.scopes IS DISTINCT FROM NEW.scopes)
EXECUTE FUNCTION sophra_api_keys.note_role_change();

CREATE TRIGGER sophra_api_keys_truncate
AFTER TRUNCATE ON sophra_api_keys.roles
FOR EACH STATEMENT EXECUTE FUNCTION sophra_api_keys.note_role_change();

-- Replication and tools that switch triggers off must not hide a change.
ALTER TABLE sophra_api_keys.roles
  ENABLE ALWAYS TRIGGER sophra_api_keys_change,
  ENABLE ALWAYS TRIGGER sophra_api_keys_update,
  ENABLE ALWAYS TRIGGER sophra_api_keys_truncate;

REVOKE EXECUTE ON FUNCTION sophra_api_keys.note_role_change() FROM PUBLIC;

-- What a verify needs of the roles that a key names: [[name, scopes]]. A role that there is not has null.
CREATE FUNCTION sophra_api_keys.role_scopes(names TEXT[]) RETURNS JSONB
LANGUAGE plpgsql STABLE STRICT
AS $$
BEGIN
  RETURN (
    SELECT jsonb_agg(pg_catalog.jsonb_build_array(wanted.name, CASE WHEN role.name IS NOT NULL THEN
      to_jsonb(ARRAY(SELECT scope FROM unnest(role.scopes) AS scope WHERE scope IS NOT NULL))
    END))
    FROM (SELECT DISTINCT listed AS name FROM unnest(names) AS listed WHERE listed IS NOT NULL) AS wanted
    LEFT JOIN sophra_api_keys.roles AS role ON role.name = wanted.name
  );
END
$$;

-- The place of the first of these roles that there is not, from 1; NULL if there are all. They stay until the transaction ends, so
-- that none is deleted before it is used.
CREATE FUNCTION sophra_api_keys.missing_role(names TEXT[]) RETURNS INTEGER
LANGUAGE plpgsql STRICT
AS $$
BEGIN
  IF names = '{}' THEN
    RETURN NULL;
  END IF;
  -- A part of the time for the statement: a row that somebody has locked must not look like a server that does not answer.
  PERFORM set_config(
    'lock_timeout',
    (extract(epoch FROM current_setting('statement_timeout')::interval) * 250)::integer::text,
    true
  );
  PERFORM FROM sophra_api_keys.roles WHERE name = ANY (names) ORDER BY name FOR KEY SHARE;
  -- By a statement of its own, which sees what was committed while this one waited for locks.
  RETURN (
    SELECT min(place)
    FROM unnest(names) WITH ORDINALITY AS wanted (wanted_name, place)
    WHERE NOT EXISTS (SELECT FROM sophra_api_keys.roles WHERE name = wanted_name)
  );
END
$$;

-- What is asked for about roles, as `name` says.
CREATE FUNCTION sophra_api_keys.role_call(name TEXT, input JSONB) RETURNS JSONB
LANGUAGE plpgsql
AS $$
DECLARE
  of_role CONSTANT TEXT := input ->> 'name';
  granted CONSTANT TEXT[] := ARRAY(SELECT jsonb_array_elements_text(coalesce(input -> 'scopes', '[]')));
  before TEXT[];
BEGIN
  CASE name
    WHEN 'list_roles' THEN
      RETURN (
        SELECT coalesce(jsonb_agg(pg_catalog.jsonb_build_object(
          'name', role.name,
          'scopes', ARRAY(SELECT scope FROM unnest(role.scopes) AS scope WHERE scope IS NOT NULL)
        ) ORDER BY role.name COLLATE "C"), '[]')
        FROM sophra_api_keys.roles AS role
      );
    WHEN 'scopes_in_use' THEN
      -- Each once, of keys and roles.
      RETURN (
        SELECT coalesce(jsonb_agg(held.scope), '[]')
        FROM (
          SELECT unnest("scopes") FROM "ApiKey" UNION SELECT unnest(role.scopes) FROM sophra_api_keys.roles AS role
          LIMIT (input -> 'most')::integer
        ) AS held (scope)
        WHERE held.scope IS NOT NULL
      );
    WHEN 'set_role' THEN
      SELECT role.scopes INTO before FROM sophra_api_keys.roles AS role WHERE role.name = of_role FOR NO KEY UPDATE;
      IF before IS NULL THEN
        -- One after the other, so that they are counted.
        PERFORM pg_advisory_xact_lock(hashtextextended('sophra_api_keys.roles', 0));
        IF (SELECT count(*) FROM sophra_api_keys.roles) >= (input -> 'most')::integer
          AND NOT EXISTS (SELECT FROM sophra_api_keys.roles AS role WHERE role.name = of_role) THEN
          RETURN NULL;
        END IF;
      END IF;
      INSERT INTO sophra_api_keys.roles AS role (name, scopes) VALUES (of_role, granted)
      ON CONFLICT ON CONSTRAINT roles_pkey DO UPDATE SET scopes = excluded.scopes, updated_at = now();
      RETURN coalesce(to_jsonb(before), '[]');
    WHEN 'delete_role' THEN
      PERFORM FROM sophra_api_keys.roles AS role WHERE role.name = of_role FOR UPDATE;
      IF NOT FOUND THEN
        RETURN NULL;
      END IF;
      -- By a statement of its own, which sees the keys that were committed while this one waited for the lock.
      IF EXISTS (SELECT FROM "ApiKey" WHERE "roles" <> '{}' AND "roles" @> ARRAY[of_role]) THEN
        RETURN 'false';
      END IF;
      DELETE FROM sophra_api_keys.roles AS role WHERE role.name = of_role;
      RETURN 'true';
  END CASE;
END
$$;
