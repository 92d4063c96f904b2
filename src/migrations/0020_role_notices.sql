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

-- The notices of what others have done since a snapshot, for the listeners of a process, and the snapshot of now. Without one it only
-- says that this process listens. At most `most` notices, and how many there are beyond.
CREATE OR REPLACE FUNCTION sophra_api_keys.read_notices(of_process TEXT, since TEXT, most INTEGER) RETURNS JSONB
LANGUAGE plpgsql
AS $$
DECLARE
  told CONSTANT TEXT[] := ARRAY[
    'key.issued', 'key.changed', 'key.revoked', 'keys.revoked', 'key.restored', 'key.deleted', 'key.suspended', 'key.leaked',
    'key.rotation.first_use', 'key.previous_still_used', 'key.reuse_detected', 'client.changed', 'client.deleted',
    'role.changed', 'role.deleted'
  ];
BEGIN
  INSERT INTO sophra_api_keys.notice_readers AS known (process) VALUES (of_process)
  ON CONFLICT (process) DO UPDATE SET seen_at = clock_timestamp()
  WHERE known.seen_at NOT BETWEEN clock_timestamp() - interval '30 seconds' AND clock_timestamp() + interval '30 seconds';
  IF FOUND THEN
    DELETE FROM sophra_api_keys.notice_readers WHERE process = ANY (ARRAY(
      SELECT process FROM sophra_api_keys.notice_readers WHERE seen_at < clock_timestamp() - interval '1 hour' FOR UPDATE SKIP LOCKED
    ));
  END IF;
  RETURN (
    SELECT pg_catalog.jsonb_build_object(
      'snapshot', pg_current_snapshot()::text,
      'beyond', greatest(count(*) - most, 0),
      'notices', coalesce(jsonb_agg(pg_catalog.jsonb_build_object(
        'type', type, 'at', floor(extract(epoch FROM written_at) * 1000)::bigint, 'data', data
      ) ORDER BY id) FILTER (WHERE place <= most), '[]')
    )
    FROM (
      SELECT notice.*, row_number() OVER (ORDER BY notice.id) AS place FROM sophra_api_keys.notices AS notice
      WHERE since IS NOT NULL
        AND notice.xid >= pg_snapshot_xmin(since::pg_snapshot) AND NOT pg_visible_in_snapshot(notice.xid, since::pg_snapshot)
        AND notice.process IS DISTINCT FROM of_process AND notice.type = ANY (told)
    ) AS news
  );
END
$$;
