-- Notices of roles, as of clients.

-- Writes the notice of a change of a role. One that is set for the first time had no scopes before.
CREATE FUNCTION sophra_api_keys.write_role_notice(before JSONB, after JSONB) RETURNS VOID
LANGUAGE plpgsql
AS $$
DECLARE
  name CONSTANT TEXT := coalesce(after, before) ->> 'name';
BEGIN
  IF before ->> 'name' <> after ->> 'name' THEN
    PERFORM sophra_api_keys.write_role_notice(before, NULL);
    PERFORM sophra_api_keys.write_role_notice(NULL, after);
    RETURN;
  END IF;
  PERFORM sophra_api_keys.write_notice(
    CASE WHEN after IS NULL THEN 'role.deleted' ELSE 'role.changed' END,
    'role/' || name,
    sophra_api_keys.teller() || pg_catalog.jsonb_build_object('role', left(name, 16384), 'changes', CASE
      WHEN after IS NULL THEN '{}'
      ELSE sophra_api_keys.field_changes(coalesce(before, '{}'), after, ARRAY['scopes'], ARRAY['scopes'])
    END)
  );
END
$$;

-- As of keys and clients: a notice that cannot be written must not stop the writer of what it tells.
CREATE FUNCTION sophra_api_keys.note_role_notice() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog SET lock_timeout = '250ms'
AS $$
BEGIN
  IF sophra_api_keys.is_wanted(ARRAY['role.changed', 'role.deleted']) OR sophra_api_keys.has_readers() THEN
    PERFORM sophra_api_keys.write_role_notice(
      CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END,
      CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END
    );
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  PERFORM sophra_api_keys.note_lost_notice(SQLSTATE);
  RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION sophra_api_keys.note_role_notice() FROM PUBLIC;

CREATE TRIGGER sophra_api_keys_notice
AFTER INSERT OR DELETE ON sophra_api_keys.roles
FOR EACH ROW EXECUTE FUNCTION sophra_api_keys.note_role_notice();

CREATE TRIGGER sophra_api_keys_update_notice
AFTER UPDATE ON sophra_api_keys.roles
FOR EACH ROW
WHEN (OLD.name IS DISTINCT FROM NEW.name OR OLD.scopes IS DISTINCT FROM NEW.scopes)
EXECUTE FUNCTION sophra_api_keys.note_role_notice();

-- Replication and tools that switch triggers off must not hide a change.
ALTER TABLE sophra_api_keys.roles
  ENABLE ALWAYS TRIGGER sophra_api_keys_notice,
  ENABLE ALWAYS TRIGGER sophra_api_keys_update_notice;
