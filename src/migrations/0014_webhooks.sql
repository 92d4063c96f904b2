-- Notices of what happened, for the webhooks that want them. A notice is written in the transaction of what it tells, by whichever
-- writer; one process at a time delivers.

CREATE TABLE sophra_api_keys.webhooks (
  id TEXT PRIMARY KEY,
  url TEXT NOT NULL,
  -- The types of notices that it wants; NULL: all.
  types TEXT[],
  is_active BOOLEAN NOT NULL DEFAULT true,
  -- Signs what is sent. Sealed under a secret of the environment, if the process that made it had one.
  secret BYTEA NOT NULL,
  -- The one before, which signs too until this instant.
  previous_secret BYTEA,
  previous_secret_ends_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE sophra_api_keys.notices (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- The same for every attempt to deliver it, to whichever webhook.
  notice_id TEXT NOT NULL DEFAULT 'msg_' || replace(gen_random_uuid()::text, '-', ''),
  type TEXT NOT NULL,
  data JSONB NOT NULL,
  written_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  -- The process of the app that made the change; NULL: another program.
  process TEXT DEFAULT nullif(current_setting('sophra_api_keys.process', true), ''),
  -- The transaction of the change. It is compared with snapshots, as in the change log.
  xid XID8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX notices_xid_idx ON sophra_api_keys.notices (xid);
CREATE INDEX notices_written_at_idx ON sophra_api_keys.notices (written_at);

-- A notice on its way to a webhook. It refers to neither with a foreign key: its writer must not wait for who changes a webhook.
CREATE TABLE sophra_api_keys.deliveries (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  webhook_id TEXT NOT NULL,
  notice BIGINT NOT NULL,
  type TEXT NOT NULL,
  -- Stands for the key or the client that the notice is about. Notices with the same one are delivered in their order.
  subject BIGINT NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
  attempts INTEGER NOT NULL DEFAULT 0,
  -- Whether the process that delivers has seen it, and decided whether it is the first of its subject.
  is_sorted BOOLEAN NOT NULL DEFAULT false,
  -- When it is tried next; NULL: it waits behind another one of its subject.
  due_at TIMESTAMPTZ,
  ended_at TIMESTAMPTZ
);
CREATE INDEX deliveries_unsorted_idx ON sophra_api_keys.deliveries (id) WHERE NOT is_sorted;
CREATE INDEX deliveries_due_idx ON sophra_api_keys.deliveries (webhook_id, due_at, id) WHERE state = 'pending' AND due_at IS NOT NULL;
CREATE INDEX deliveries_order_idx ON sophra_api_keys.deliveries (webhook_id, subject, id) WHERE state = 'pending';
-- Of those that have failed for a quarter of an hour.
CREATE INDEX deliveries_failing_idx ON sophra_api_keys.deliveries (webhook_id) WHERE state = 'pending' AND attempts >= 10;
CREATE INDEX deliveries_webhook_idx ON sophra_api_keys.deliveries (webhook_id, id);
CREATE INDEX deliveries_state_idx ON sophra_api_keys.deliveries (state, id);
CREATE INDEX deliveries_notice_idx ON sophra_api_keys.deliveries (notice);
CREATE INDEX deliveries_ended_at_idx ON sophra_api_keys.deliveries (ended_at) WHERE state <> 'pending';

-- Which process delivers, and until when, unless it says so again.
CREATE TABLE sophra_api_keys.deliverer (
  one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
  process TEXT NOT NULL DEFAULT '',
  until TIMESTAMPTZ NOT NULL DEFAULT '-infinity'
);
INSERT INTO sophra_api_keys.deliverer DEFAULT VALUES;

-- Processes whose listeners want to hear what others do. One that was not seen for two minutes is gone.
CREATE TABLE sophra_api_keys.notice_readers (
  process TEXT PRIMARY KEY,
  seen_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION sophra_api_keys.has_readers() RETURNS BOOLEAN
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN EXISTS (SELECT FROM sophra_api_keys.notice_readers WHERE seen_at > clock_timestamp() - interval '2 minutes');
END
$$;

-- Notices that could not be written. What they tell has happened all the same.
CREATE TABLE sophra_api_keys.lost_notices (
  at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  sqlstate TEXT NOT NULL
);

-- Says who makes the changes of this transaction, and why, for the notices of them. For a condition, so that no statement
-- of its own is needed.
CREATE FUNCTION sophra_api_keys.told(actor TEXT, also JSONB DEFAULT '{}') RETURNS BOOLEAN
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM set_config(
    'sophra_api_keys.told', (pg_catalog.jsonb_build_object('actor', actor) || jsonb_strip_nulls(also))::text, true
  );
  RETURN true;
END
$$;

-- What "told" has said in this transaction. Another writer says nothing.
CREATE FUNCTION sophra_api_keys.teller() RETURNS JSONB
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  said CONSTANT JSONB := coalesce(nullif(current_setting('sophra_api_keys.told', true), ''), '{}');
BEGIN
  RETURN pg_catalog.jsonb_build_object('actor', said -> 'actor') || jsonb_strip_nulls(
    pg_catalog.jsonb_build_object('note', said -> 'note', 'reason', said -> 'reason')
  );
EXCEPTION WHEN OTHERS THEN
  -- Anybody can set it.
  RETURN '{"actor": null}';
END
$$;

-- Writes a notice, if a webhook or a listener wants it. It reads nothing that other writers write: transactions of the app may be
-- serializable.
CREATE FUNCTION sophra_api_keys.write_notice(of_type TEXT, about TEXT, data JSONB) RETURNS VOID
LANGUAGE plpgsql
AS $$
DECLARE
  wanted_by CONSTANT TEXT[] := ARRAY(
    SELECT webhook.id FROM sophra_api_keys.webhooks AS webhook
    WHERE webhook.is_active AND (webhook.types IS NULL OR of_type = ANY (webhook.types))
  );
  of_subject CONSTANT BIGINT := hashtextextended(about, 0);
  number BIGINT;
BEGIN
  IF wanted_by = '{}' AND NOT sophra_api_keys.has_readers() THEN
    RETURN;
  END IF;
  INSERT INTO sophra_api_keys.notices (type, data) VALUES (of_type, data) RETURNING id INTO number;
  INSERT INTO sophra_api_keys.deliveries (webhook_id, notice, type, subject)
  SELECT wanting.id, number, of_type, of_subject FROM unnest(wanted_by) AS wanting (id);
  PERFORM pg_notify('sophra_api_keys', '');
END
$$;

-- Notices of what no statement does but the passing of time.

-- What was told of a key.
CREATE TABLE sophra_api_keys.due_notices (
  key_id TEXT PRIMARY KEY,
  -- The fewest days before this expiry that were told; 0: that it has expired.
  expires_at TIMESTAMP,
  days INTEGER,
  -- The last use, after which it was told that the key is unused.
  unused_since TIMESTAMP
);

-- Up to which expiry, or last use, all keys were looked at.
CREATE TABLE sophra_api_keys.notice_scans (
  -- The days before the expiry; 'unused': the last use.
  kind TEXT PRIMARY KEY,
  -- Any number of keys may have the same instant: of those, up to this id.
  scanned_to TIMESTAMP NOT NULL,
  scanned_id TEXT NOT NULL DEFAULT ''
);

-- Keys to look at by themselves: their expiry or last use has changed, perhaps into what was looked at already.
CREATE TABLE sophra_api_keys.notice_checks (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key_id TEXT NOT NULL
);

-- Whether a webhook wants notices of any of these types.
CREATE FUNCTION sophra_api_keys.is_wanted(of_types TEXT[]) RETURNS BOOLEAN
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN EXISTS (SELECT FROM sophra_api_keys.webhooks WHERE is_active AND (types IS NULL OR types && of_types));
END
$$;

CREATE FUNCTION sophra_api_keys.wants_due_notices() RETURNS BOOLEAN
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN sophra_api_keys.is_wanted(ARRAY['key.expiring', 'key.expired', 'key.unused']);
END
$$;

-- Whether any notice may be wanted: others need not be put together.
CREATE FUNCTION sophra_api_keys.has_webhooks() RETURNS BOOLEAN
LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN EXISTS (SELECT FROM sophra_api_keys.webhooks WHERE is_active);
END
$$;

-- What a column of a row as JSON has it is in the API: lists are never NULL, and instants are written as in ISO 8601.
CREATE FUNCTION sophra_api_keys.api_value(field TEXT, stored JSONB) RETURNS JSONB
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
  stored := coalesce(nullif(stored, 'null'), CASE
    WHEN field IN ('allowedIps', 'limits', 'quotas', 'scopes', 'roles') THEN '[]'
    WHEN field = 'isActive' THEN 'false'
    ELSE 'null'
  END::jsonb);
  IF stored <> 'null' AND field IN ('expiresAt', 'previousKeyExpiresAt', 'revokedAt', 'suspendedUntil') THEN
    RETURN to_jsonb(CASE
      WHEN isfinite((stored #>> '{}')::timestamp) THEN to_char((stored #>> '{}')::timestamp, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
      ELSE stored #>> '{}'
    END);
  END IF;
  RETURN stored;
END
$$;

-- The value before and after of each field that differs; `columns` have the same order. Of private fields, and of long values, only
-- that they changed.
CREATE FUNCTION sophra_api_keys.field_changes(before JSONB, after JSONB, fields TEXT[], columns TEXT[]) RETURNS JSONB
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
  most CONSTANT INTEGER := 16384;
BEGIN
  RETURN (
    SELECT coalesce(jsonb_object_agg(listed.field, CASE
      WHEN listed.field IN ('description', 'metadata', 'key') OR octet_length(was::text) + octet_length(becomes::text) > most THEN '{}'
      ELSE pg_catalog.jsonb_build_object('before', was, 'after', becomes)
    END), '{}')
    -- Few fields differ, and only these are put into the form of the API.
    FROM (
      SELECT * FROM unnest(fields, columns) AS named (field, name)
      WHERE before -> named.name IS DISTINCT FROM after -> named.name
      OFFSET 0
    ) AS listed
    CROSS JOIN LATERAL (
      SELECT
        sophra_api_keys.api_value(listed.field, before -> listed.name) AS was,
        sophra_api_keys.api_value(listed.field, after -> listed.name) AS becomes
    ) AS api
    WHERE was <> becomes
  );
END
$$;

-- Which key a row is of, whether it is hashed already or not. A new hash of the same key is no change.
CREATE FUNCTION sophra_api_keys.key_identity(stored JSONB) RETURNS JSONB
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
  RETURN pg_catalog.jsonb_build_object('key', coalesce(
    stored ->> 'lookup',
    'sha256:' || encode(sophra_api_keys.plaintext_digest(stored ->> 'key'), 'hex')
  ));
END
$$;

-- Writes the notice of a change of a key. `before` is NULL for a new one, and `after` for one that is gone.
CREATE FUNCTION sophra_api_keys.write_key_notice(before JSONB, after JSONB) RETURNS VOID
LANGUAGE plpgsql
AS $$
DECLARE
  fields CONSTANT TEXT[] := ARRAY[
    'name', 'clientId', 'isActive', 'expiresAt', 'allowedIps', 'rateLimit', 'rateLimitWindowSeconds', 'limits', 'quotas', 'scopes', 'roles',
    'suspendedUntil', 'previousKeyExpiresAt', 'revokedAt', 'revokedBy', 'revokedReason', 'description', 'metadata', 'key'
  ];
  known CONSTANT JSONB := coalesce(after, before);
  changes JSONB := '{}';
  of_type TEXT;
BEGIN
  IF before ->> 'id' <> after ->> 'id' THEN
    PERFORM sophra_api_keys.write_key_notice(before, NULL);
    PERFORM sophra_api_keys.write_key_notice(NULL, after);
    RETURN;
  END IF;
  IF before IS NOT NULL AND after IS NOT NULL THEN
    changes := sophra_api_keys.field_changes(
      before || sophra_api_keys.key_identity(before), after || sophra_api_keys.key_identity(after), fields, fields
    );
    IF changes = '{}' THEN
      RETURN;
    END IF;
  END IF;
  of_type := CASE
    WHEN before IS NULL THEN 'key.issued'
    WHEN after IS NULL THEN 'key.deleted'
    WHEN after ->> 'revokedAt' IS NOT NULL AND changes ?| ARRAY['revokedAt', 'revokedReason'] THEN 'key.revoked'
    WHEN after ->> 'revokedAt' IS NULL AND changes ? 'revokedAt' THEN 'key.restored'
    WHEN after ->> 'suspendedUntil' IS NOT NULL AND changes - 'suspendedUntil' = '{}' THEN 'key.suspended'
    ELSE 'key.changed'
  END;
  PERFORM sophra_api_keys.write_notice(
    of_type,
    'key/' || (known ->> 'id'),
    sophra_api_keys.teller()
    || pg_catalog.jsonb_build_object(
      'keyId', known ->> 'id', 'name', left(known ->> 'name', 16384), 'clientId', left(known ->> 'clientId', 16384), 'changes', changes
    )
    || CASE
      WHEN of_type = 'key.revoked' THEN pg_catalog.jsonb_build_object('reason', coalesce(known ->> 'revokedReason', 'unspecified'))
      ELSE '{}'
    END
  );
END
$$;

-- The same for a client. One that is set for the first time had the defaults before.
CREATE FUNCTION sophra_api_keys.write_client_notice(before JSONB, after JSONB) RETURNS VOID
LANGUAGE plpgsql
AS $$
DECLARE
  known CONSTANT JSONB := coalesce(after, before);
  changes JSONB := '{}';
BEGIN
  IF before ->> 'client_id' <> after ->> 'client_id' THEN
    PERFORM sophra_api_keys.write_client_notice(before, NULL);
    PERFORM sophra_api_keys.write_client_notice(NULL, after);
    RETURN;
  END IF;
  IF after IS NOT NULL THEN
    changes := sophra_api_keys.field_changes(
      coalesce(before, '{"is_active": true}'),
      after,
      ARRAY['name', 'isActive', 'metadata', 'allowedIps', 'limits', 'quotas', 'maxKeys', 'parentId'],
      ARRAY['name', 'is_active', 'metadata', 'allowed_ips', 'limits', 'quotas', 'max_keys', 'parent_id']
    );
    IF changes = '{}' AND before IS NOT NULL THEN
      RETURN;
    END IF;
  END IF;
  PERFORM sophra_api_keys.write_notice(
    CASE WHEN after IS NULL THEN 'client.deleted' ELSE 'client.changed' END,
    'client/' || (known ->> 'client_id'),
    sophra_api_keys.teller() || pg_catalog.jsonb_build_object(
      'clientId', left(known ->> 'client_id', 16384), 'name', left(known ->> 'name', 16384), 'changes', changes
    )
  );
END
$$;

-- A notice that cannot be written must not stop the writer of what it tells: it is counted, and the process that delivers says so.
-- Who has locked our tables holds up a transaction once.
CREATE FUNCTION sophra_api_keys.note_notice() RETURNS trigger
LANGUAGE plpgsql
-- A role that may write keys needs no rights here.
SECURITY DEFINER SET search_path = pg_catalog SET lock_timeout = '250ms'
AS $$
DECLARE
  is_key CONSTANT BOOLEAN := TG_TABLE_SCHEMA <> 'sophra_api_keys';
  types TEXT[];
  before JSONB;
  after JSONB;
BEGIN
  IF current_setting('sophra_api_keys.unheard', true) IS NOT DISTINCT FROM pg_current_xact_id_if_assigned()::text THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'TRUNCATE' THEN
    DELETE FROM sophra_api_keys.due_notices;
    RETURN NULL;
  END IF;
  IF TG_OP = 'DELETE' AND is_key THEN
    DELETE FROM sophra_api_keys.due_notices WHERE key_id = OLD."id";
  END IF;
  types := CASE
    WHEN NOT is_key THEN ARRAY['client.changed', 'client.deleted']
    WHEN TG_OP = 'INSERT' THEN ARRAY['key.issued', 'key.expiring', 'key.expired']
    WHEN TG_OP = 'DELETE' THEN ARRAY['key.deleted']
    ELSE ARRAY['key.changed', 'key.revoked', 'key.restored', 'key.suspended', 'key.expiring', 'key.expired', 'key.unused']
  END;
  IF is_key AND TG_OP = 'UPDATE' THEN
    -- It is another key from now on.
    types := types || CASE WHEN OLD."id" <> NEW."id" THEN ARRAY['key.issued', 'key.deleted'] END;
  END IF;
  IF NOT sophra_api_keys.is_wanted(types) AND NOT sophra_api_keys.has_readers() THEN
    RETURN NULL;
  END IF;
  before := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
  after := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
  IF NOT is_key THEN
    PERFORM sophra_api_keys.write_client_notice(before, after);
    RETURN NULL;
  END IF;
  PERFORM sophra_api_keys.write_key_notice(before, after);
  -- What time alone will bring is another matter from now on.
  IF after IS NOT NULL AND sophra_api_keys.wants_due_notices() AND (
    before IS NULL AND after ->> 'expiresAt' IS NOT NULL
    OR before IS NOT NULL AND (after -> 'id', after -> 'expiresAt', after -> 'isActive', after -> 'revokedAt')
      IS DISTINCT FROM (before -> 'id', before -> 'expiresAt', before -> 'isActive', before -> 'revokedAt')
  ) THEN
    INSERT INTO sophra_api_keys.notice_checks (key_id) VALUES (after ->> 'id');
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  IF SQLSTATE = '55P03' THEN
    PERFORM set_config('sophra_api_keys.unheard', pg_current_xact_id()::text, true);
  END IF;
  PERFORM sophra_api_keys.note_lost_notice(SQLSTATE);
  RETURN NULL;
END
$$;

CREATE FUNCTION sophra_api_keys.note_lost_notice(state TEXT) RETURNS VOID
LANGUAGE plpgsql
AS $$
BEGIN
  INSERT INTO sophra_api_keys.lost_notices (sqlstate) VALUES (state);
EXCEPTION WHEN OTHERS THEN
  RAISE WARNING 'A notice for webhooks could not be written: SQLSTATE %', state;
END
$$;
REVOKE EXECUTE ON FUNCTION sophra_api_keys.note_notice() FROM PUBLIC;

-- Many keys that were revoked at once are one notice.
CREATE FUNCTION sophra_api_keys.note_bulk_revocation(count BIGINT, reason TEXT, note TEXT, actor TEXT) RETURNS VOID
LANGUAGE plpgsql
SET lock_timeout = '250ms'
AS $$
BEGIN
  PERFORM sophra_api_keys.write_notice('keys.revoked', 'keys', pg_catalog.jsonb_build_object(
    'count', count, 'reason', reason, 'note', note, 'actor', actor
  ));
EXCEPTION WHEN OTHERS THEN
  PERFORM sophra_api_keys.note_lost_notice(SQLSTATE);
END
$$;

CREATE TRIGGER sophra_api_keys_notice
AFTER INSERT OR DELETE ON "ApiKey"
FOR EACH ROW EXECUTE FUNCTION sophra_api_keys.note_notice();

CREATE TRIGGER sophra_api_keys_update_notice
AFTER UPDATE ON "ApiKey"
FOR EACH ROW
WHEN (
  (
    OLD."id" IS DISTINCT FROM NEW."id"
    OR OLD."clientId" IS DISTINCT FROM NEW."clientId"
    OR OLD."name" IS DISTINCT FROM NEW."name"
    OR OLD."description" IS DISTINCT FROM NEW."description"
    OR OLD."isActive" IS DISTINCT FROM NEW."isActive"
    OR OLD."expiresAt" IS DISTINCT FROM NEW."expiresAt"
    OR OLD."allowedIps" IS DISTINCT FROM NEW."allowedIps"
    OR OLD."rateLimit" IS DISTINCT FROM NEW."rateLimit"
    OR OLD."rateLimitWindowSeconds" IS DISTINCT FROM NEW."rateLimitWindowSeconds"
    OR OLD."limits" IS DISTINCT FROM NEW."limits"
    OR OLD."quotas" IS DISTINCT FROM NEW."quotas"
    OR OLD."scopes" IS DISTINCT FROM NEW."scopes"
    OR OLD."origins" IS DISTINCT FROM NEW."origins"
    OR OLD."roles" IS DISTINCT FROM NEW."roles"
    OR OLD."metadata" IS DISTINCT FROM NEW."metadata"
    OR OLD."suspendedUntil" IS DISTINCT FROM NEW."suspendedUntil"
    OR OLD."previousKeyExpiresAt" IS DISTINCT FROM NEW."previousKeyExpiresAt"
    OR OLD."revokedAt" IS DISTINCT FROM NEW."revokedAt"
    OR OLD."revokedBy" IS DISTINCT FROM NEW."revokedBy"
    OR OLD."revokedReason" IS DISTINCT FROM NEW."revokedReason"
    OR (OLD."key", OLD."lookup") IS DISTINCT FROM (NEW."key", NEW."lookup")
  )
  -- Not of the rows that "revoke_keys" revokes, of which one notice tells.
  AND NOT (
    OLD."revokedAt" IS NULL AND NEW."revokedAt" IS NOT NULL AND pg_trigger_depth() = 0
    AND current_setting('sophra_api_keys.logged_by', true) IS NOT DISTINCT FROM pg_current_xact_id_if_assigned()::text
  )
)
EXECUTE FUNCTION sophra_api_keys.note_notice();

-- Whoever writes the last use of a key, it is copied some time later.
CREATE FUNCTION sophra_api_keys.check_use() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
  IF sophra_api_keys.wants_due_notices() THEN
    INSERT INTO sophra_api_keys.notice_checks (key_id) VALUES (NEW.key_id);
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  PERFORM sophra_api_keys.note_lost_notice(SQLSTATE);
  RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION sophra_api_keys.check_use() FROM PUBLIC;

-- A use is a later one. Only an import, or another program, has an earlier one.
CREATE TRIGGER sophra_api_keys_backdated
AFTER UPDATE OF unused_since ON sophra_api_keys.key_usage
FOR EACH ROW WHEN (NEW.unused_since < OLD.unused_since)
EXECUTE FUNCTION sophra_api_keys.check_use();
CREATE TRIGGER sophra_api_keys_imported
AFTER INSERT ON sophra_api_keys.key_usage
FOR EACH ROW WHEN (NEW.unused_since < (now() AT TIME ZONE 'UTC') - interval '1 day')
EXECUTE FUNCTION sophra_api_keys.check_use();
ALTER TABLE sophra_api_keys.key_usage
  ENABLE ALWAYS TRIGGER sophra_api_keys_backdated,
  ENABLE ALWAYS TRIGGER sophra_api_keys_imported;

-- The highest threshold of the period that was told, in percent.
ALTER TABLE sophra_api_keys.quota_balances ADD COLUMN told_percent INTEGER NOT NULL DEFAULT 0;

-- Writes a notice for each threshold that the use of a quota has reached. A period has a row of its own, so each is told once.
CREATE FUNCTION sophra_api_keys.write_quota_notices(balance sophra_api_keys.quota_balances) RETURNS INTEGER
LANGUAGE plpgsql
AS $$
DECLARE
  parts CONSTANT TEXT[] := regexp_match(balance.quota_id, '^(key|client)/(.*)/([^/]*)$');
  used CONSTANT BIGINT := balance.spent + balance.spent_of_grants;
  told INTEGER := balance.told_percent;
  threshold INTEGER;
  terms RECORD;
  of_client TEXT := parts[2];
  total BIGINT;
BEGIN
  SELECT * INTO terms FROM sophra_api_keys.quota_terms(parts[1], parts[2], parts[3], clock_timestamp());
  total := used + greatest(terms.amount - balance.spent, 0) + (
    SELECT coalesce(sum(known.granted - known.spent), 0) FROM sophra_api_keys.quota_balances AS known
    WHERE known.quota_id = balance.quota_id AND known.granted IS NOT NULL AND known.ends_at > clock_timestamp()
  );
  FOREACH threshold IN ARRAY ARRAY[80, 95, 100] LOOP
    CONTINUE WHEN threshold <= told OR total IS NULL OR total <= 0 OR used::numeric * 100 < total::numeric * threshold;
    told := threshold;
    IF parts[1] = 'key' THEN
      SELECT "clientId" INTO of_client FROM "ApiKey" WHERE "id" = parts[2];
    END IF;
    PERFORM sophra_api_keys.write_notice('quota.threshold', parts[1] || '/' || parts[2], pg_catalog.jsonb_build_object(
      'keyId', CASE WHEN parts[1] = 'key' THEN parts[2] END,
      'clientId', of_client,
      'actor', NULL,
      'name', parts[3],
      'threshold', threshold,
      'used', used,
      'amount', terms.amount
    ));
  END LOOP;
  RETURN told;
END
$$;

CREATE FUNCTION sophra_api_keys.note_quota() RETURNS trigger
LANGUAGE plpgsql
SET lock_timeout = '250ms'
AS $$
BEGIN
  IF sophra_api_keys.is_wanted(ARRAY['quota.threshold']) THEN
    NEW.told_percent := sophra_api_keys.write_quota_notices(NEW);
  END IF;
  RETURN NEW;
EXCEPTION WHEN OTHERS THEN
  -- The next use tells it.
  PERFORM sophra_api_keys.note_lost_notice(SQLSTATE);
  RETURN NEW;
END
$$;
REVOKE EXECUTE ON FUNCTION sophra_api_keys.note_quota() FROM PUBLIC;

CREATE TRIGGER sophra_api_keys_quota
BEFORE UPDATE ON sophra_api_keys.quota_balances
FOR EACH ROW
WHEN (NEW.granted IS NULL AND (NEW.spent > OLD.spent OR NEW.spent_of_grants > OLD.spent_of_grants))
EXECUTE FUNCTION sophra_api_keys.note_quota();
ALTER TABLE sophra_api_keys.quota_balances ENABLE ALWAYS TRIGGER sophra_api_keys_quota;

CREATE TRIGGER sophra_api_keys_notice
AFTER INSERT OR UPDATE OR DELETE ON sophra_api_keys.clients
FOR EACH ROW EXECUTE FUNCTION sophra_api_keys.note_notice();

-- It is told of no key, but what was told of them is forgotten.
CREATE TRIGGER sophra_api_keys_truncate_notice
AFTER TRUNCATE ON "ApiKey"
FOR EACH STATEMENT EXECUTE FUNCTION sophra_api_keys.note_notice();

-- Tools that switch triggers off must not hide a change from webhooks either.
ALTER TABLE "ApiKey"
  ENABLE ALWAYS TRIGGER sophra_api_keys_truncate_notice,
  ENABLE ALWAYS TRIGGER sophra_api_keys_notice,
  ENABLE ALWAYS TRIGGER sophra_api_keys_update_notice;
ALTER TABLE sophra_api_keys.clients ENABLE ALWAYS TRIGGER sophra_api_keys_notice;

-- What a flush has to tell of rotations, in the statement that stores the uses.
CREATE FUNCTION sophra_api_keys.note_rotations() RETURNS trigger
LANGUAGE plpgsql
SET lock_timeout = '250ms'
AS $$
DECLARE
  told JSONB;
  ends_at TEXT;
BEGIN
  FOR told IN SELECT jsonb_array_elements(NEW.notices) LOOP
    ends_at := told ->> 'previousKeyExpiresAt';
    PERFORM sophra_api_keys.write_notice(
      CASE WHEN ends_at IS NULL THEN 'key.rotation.first_use' ELSE 'key.previous_still_used' END,
      'key/' || (told ->> 'keyId'),
      pg_catalog.jsonb_build_object(
        'keyId', told -> 'keyId', 'name', left(told ->> 'name', 16384), 'clientId', left(told ->> 'clientId', 16384), 'actor', NULL,
        CASE WHEN ends_at IS NULL THEN 'currentKeyFirstUsedAt' ELSE 'previousKeyLastUsedAt' END,
        sophra_api_keys.api_value('expiresAt', to_jsonb(sophra_api_keys.instant_at(told ->> 'usedAt')))
      ) || CASE
        WHEN ends_at IS NULL THEN '{}'
        ELSE pg_catalog.jsonb_build_object(
          'previousKeyExpiresAt', sophra_api_keys.api_value('previousKeyExpiresAt', to_jsonb(sophra_api_keys.instant_at(ends_at)))
        )
      END
    );
  END LOOP;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  PERFORM sophra_api_keys.note_lost_notice(SQLSTATE);
  RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION sophra_api_keys.note_rotations() FROM PUBLIC;

-- Flushes of what limits have used write the same row, in which the last notices still are.
CREATE TRIGGER sophra_api_keys_rotation
AFTER INSERT OR UPDATE OF batch ON sophra_api_keys.usage_batches
FOR EACH ROW WHEN (NEW.notices IS NOT NULL)
EXECUTE FUNCTION sophra_api_keys.note_rotations();

-- What is known of leaked and replaced keys is their entry in the audit log.
CREATE FUNCTION sophra_api_keys.note_finding() RETURNS trigger
LANGUAGE plpgsql
SET lock_timeout = '250ms'
AS $$
BEGIN
  PERFORM sophra_api_keys.write_notice(
    NEW.type, 'key/' || NEW.key_id, pg_catalog.jsonb_build_object('actor', NULL) || (NEW.event - 'type')
  );
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  PERFORM sophra_api_keys.note_lost_notice(SQLSTATE);
  RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION sophra_api_keys.note_finding() FROM PUBLIC;

CREATE TRIGGER sophra_api_keys_finding
AFTER INSERT ON sophra_api_keys.audit
FOR EACH ROW WHEN (NEW.type IN ('key.leaked', 'key.reuse_detected'))
EXECUTE FUNCTION sophra_api_keys.note_finding();
ALTER TABLE sophra_api_keys.usage_batches ENABLE ALWAYS TRIGGER sophra_api_keys_rotation;
ALTER TABLE sophra_api_keys.audit ENABLE ALWAYS TRIGGER sophra_api_keys_finding;

-- A webhook as the API has it.
CREATE FUNCTION sophra_api_keys.webhook_view(webhook sophra_api_keys.webhooks) RETURNS JSONB
LANGUAGE sql STABLE
AS $$
  SELECT pg_catalog.jsonb_build_object(
    'id', webhook.id,
    'url', webhook.url,
    'types', webhook.types,
    'isActive', webhook.is_active,
    'createdAt', floor(extract(epoch FROM webhook.created_at) * 1000)::bigint,
    'updatedAt', floor(extract(epoch FROM webhook.updated_at) * 1000)::bigint
  )
$$;

-- Makes a webhook, unless there are as many as there may be, or changes the one that there is; what is NULL stays. `change` has the
-- new types, if there are any. A new secret signs beside the one before for a day. NULL: there is no such webhook, or no room.
CREATE FUNCTION sophra_api_keys.set_webhook(
  of_id TEXT, is_new BOOLEAN, of_url TEXT, change JSONB, active BOOLEAN, new_secret BYTEA, most INTEGER
) RETURNS JSONB
LANGUAGE plpgsql
AS $$
DECLARE
  new_types CONSTANT TEXT[] := CASE
    WHEN jsonb_typeof(change -> 'types') = 'array' THEN ARRAY(SELECT jsonb_array_elements_text(change -> 'types'))
  END;
  webhook sophra_api_keys.webhooks;
BEGIN
  IF is_new THEN
    -- So that two that are made at the same time count each other.
    PERFORM pg_advisory_xact_lock(hashtextextended('sophra_api_keys.webhooks', 0));
    INSERT INTO sophra_api_keys.webhooks (id, url, types, is_active, secret)
    SELECT of_id, of_url, new_types, coalesce(active, true), new_secret
    WHERE (SELECT count(*) FROM sophra_api_keys.webhooks) < most
    -- An earlier try has made it.
    ON CONFLICT (id) DO NOTHING;
    SELECT * INTO webhook FROM sophra_api_keys.webhooks AS known WHERE known.id = of_id;
  ELSE
    UPDATE sophra_api_keys.webhooks AS known SET
      url = coalesce(of_url, known.url),
      types = CASE WHEN change ? 'types' THEN new_types ELSE known.types END,
      is_active = coalesce(active, known.is_active),
      secret = coalesce(new_secret, known.secret),
      -- An earlier try may have stored the new one.
      previous_secret = CASE WHEN coalesce(new_secret, known.secret) = known.secret THEN known.previous_secret ELSE known.secret END,
      previous_secret_ends_at = CASE
        WHEN coalesce(new_secret, known.secret) = known.secret THEN known.previous_secret_ends_at
        ELSE clock_timestamp() + interval '1 day'
      END,
      updated_at = clock_timestamp()
    WHERE known.id = of_id
    RETURNING * INTO webhook;
  END IF;
  RETURN CASE WHEN webhook.id IS NOT NULL THEN sophra_api_keys.webhook_view(webhook) END;
END
$$;

CREATE FUNCTION sophra_api_keys.list_webhooks() RETURNS JSONB
LANGUAGE sql STABLE
AS $$
  SELECT coalesce(jsonb_agg(sophra_api_keys.webhook_view(webhook) ORDER BY webhook.created_at, webhook.id), '[]')
  FROM sophra_api_keys.webhooks AS webhook
$$;

-- Deletes a webhook and what was on its way to it. Returns whether there was one.
CREATE FUNCTION sophra_api_keys.delete_webhook(of_id TEXT) RETURNS BOOLEAN
LANGUAGE plpgsql
AS $$
BEGIN
  DELETE FROM sophra_api_keys.webhooks WHERE id = of_id;
  RETURN FOUND;
END
$$;

-- A page of deliveries, the newest first, those before a certain one.
CREATE FUNCTION sophra_api_keys.list_deliveries(of_webhook TEXT, of_state TEXT, before BIGINT, most INTEGER) RETURNS JSONB
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  listed JSONB;
BEGIN
  EXECUTE format(
    $statement$
    SELECT coalesce(jsonb_agg(pg_catalog.jsonb_build_object(
      'id', page.id::text,
      'webhookId', page.webhook_id,
      'noticeId', (SELECT notice_id FROM sophra_api_keys.notices AS notice WHERE notice.id = page.notice),
      'type', page.type,
      'state', page.state,
      'attempts', page.attempts
    ) ORDER BY page.id DESC), '[]')
    FROM (
      SELECT * FROM sophra_api_keys.deliveries AS delivery
      WHERE id < $3 AND %s AND %s AND EXISTS (SELECT FROM sophra_api_keys.webhooks AS webhook WHERE webhook.id = webhook_id)
      ORDER BY id DESC
      LIMIT $4
    ) AS page
    $statement$,
    CASE WHEN of_webhook IS NULL THEN 'true' ELSE 'webhook_id = $1' END,
    CASE WHEN of_state IS NULL THEN 'true' ELSE 'state = $2' END
  ) INTO listed USING of_webhook, of_state, coalesce(before, 9223372036854775807), most;
  RETURN listed;
END
$$;

-- Delivers once more. Returns whether there is such a delivery.
CREATE FUNCTION sophra_api_keys.redeliver(of_id BIGINT) RETURNS BOOLEAN
LANGUAGE plpgsql
AS $$
BEGIN
  UPDATE sophra_api_keys.deliveries AS delivery
  SET state = 'pending', attempts = 0, is_sorted = true, due_at = clock_timestamp(), ended_at = NULL
  WHERE delivery.id = of_id
    AND EXISTS (SELECT FROM sophra_api_keys.webhooks AS webhook WHERE webhook.id = delivery.webhook_id);
  IF FOUND THEN
    PERFORM pg_notify('sophra_api_keys', '');
  END IF;
  RETURN FOUND;
END
$$;

-- Notes how attempts of a process ended: [{ "id", "ok" }]. After a failure the next attempt comes a second later, then after twice as
-- long each time, up to an hour; after three days of these the delivery is given up. When one has ended, the next of its subject is due.
-- Returns how many were given up.
CREATE FUNCTION sophra_api_keys.note_attempts(results JSONB) RETURNS INTEGER
LANGUAGE plpgsql
AS $$
DECLARE
  -- 12 pauses up to an hour, and 71 of an hour.
  attempts_max CONSTANT INTEGER := 84;
  result RECORD;
  given_up INTEGER := 0;
BEGIN
  FOR result IN
    UPDATE sophra_api_keys.deliveries AS delivery SET
      attempts = delivery.attempts + 1,
      state = CASE WHEN ok THEN 'delivered' WHEN delivery.attempts + 1 >= attempts_max THEN 'dead' ELSE 'pending' END,
      due_at = CASE
        WHEN ok THEN delivery.due_at
        ELSE clock_timestamp() + least(2 ^ least(delivery.attempts, 20), 3600) * interval '1 second'
      END,
      ended_at = CASE WHEN ok OR delivery.attempts + 1 >= attempts_max THEN clock_timestamp() END
    FROM jsonb_to_recordset(results) AS told (id BIGINT, ok BOOLEAN)
    WHERE delivery.id = told.id AND delivery.state = 'pending'
    RETURNING delivery.*
  LOOP
    CONTINUE WHEN result.state = 'pending';
    given_up := given_up + (result.state = 'dead')::integer;
    UPDATE sophra_api_keys.deliveries AS next SET due_at = clock_timestamp()
    WHERE next.id = (
      SELECT behind.id FROM sophra_api_keys.deliveries AS behind
      WHERE behind.webhook_id = result.webhook_id AND behind.subject = result.subject AND behind.state = 'pending'
      ORDER BY behind.id
      LIMIT 1
    ) AND next.is_sorted AND next.due_at IS NULL;
  END LOOP;
  RETURN given_up;
END
$$;

-- Makes those of the new deliveries due that are the first of their subject. Only the process that delivers does, so that none is
-- overlooked: what is committed later is new later.
CREATE FUNCTION sophra_api_keys.sort_deliveries(part INTEGER) RETURNS VOID
LANGUAGE plpgsql
AS $$
BEGIN
  UPDATE sophra_api_keys.deliveries AS fresh SET
    is_sorted = true,
    due_at = CASE WHEN fresh.id = (
      SELECT first.id FROM sophra_api_keys.deliveries AS first
      WHERE first.webhook_id = fresh.webhook_id AND first.subject = fresh.subject AND first.state = 'pending'
      ORDER BY first.id
      LIMIT 1
    ) THEN clock_timestamp() END
  WHERE fresh.id = ANY (ARRAY(
    SELECT unsorted.id FROM sophra_api_keys.deliveries AS unsorted WHERE NOT unsorted.is_sorted ORDER BY unsorted.id LIMIT part
  ));
END
$$;

-- Notes how attempts of a process ended, and gives it the deliveries to try next, if it is the one that delivers. It is until it has
-- said nothing for 15 seconds: then the next to ask takes its place. The answer says when the next delivery, or the turn of another
-- process, is due, and what was lost.
CREATE FUNCTION sophra_api_keys.take_deliveries(
  of_process TEXT, results JSONB, in_flight BIGINT[], most_each INTEGER
) RETURNS JSONB
LANGUAGE plpgsql
-- Its statements find few rows by their indexes, whatever the statistics say.
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
  turn_length CONSTANT INTERVAL := '15 seconds';
  part CONSTANT INTEGER := 1000;
  at TIMESTAMPTZ;
  turn sophra_api_keys.deliverer;
  answer JSONB;
  has_more BOOLEAN;
BEGIN
  -- One at a time, also a process that was the one before and only says how its attempts ended.
  SELECT * INTO STRICT turn FROM sophra_api_keys.deliverer FOR NO KEY UPDATE;
  at := clock_timestamp();
  answer := pg_catalog.jsonb_build_object('isDelivering', false, 'givenUp', sophra_api_keys.note_attempts(results));
  IF of_process IS NULL OR NOT sophra_api_keys.has_webhooks() THEN
    RETURN answer;
  END IF;
  IF turn.process <> of_process AND turn.until BETWEEN at AND at + turn_length + interval '5 seconds' THEN
    RETURN answer || pg_catalog.jsonb_build_object('dueInMs', ceil(extract(epoch FROM turn.until - at) * 1000)::bigint);
  END IF;
  IF turn.process <> of_process OR turn.until NOT BETWEEN at + turn_length * 0.7 AND at + turn_length + interval '5 seconds' THEN
    UPDATE sophra_api_keys.deliverer SET process = of_process, until = at + turn_length;
    -- A clock that was set back must not hold anything up.
    UPDATE sophra_api_keys.deliveries SET due_at = at
    WHERE id = ANY (ARRAY(
      SELECT far.id FROM sophra_api_keys.webhooks AS webhook CROSS JOIN LATERAL (
        SELECT delivery.id FROM sophra_api_keys.deliveries AS delivery
        WHERE delivery.webhook_id = webhook.id AND delivery.state = 'pending' AND delivery.due_at > at + interval '1 hour 1 minute'
        LIMIT part
      ) AS far
    ));
  END IF;
  PERFORM sophra_api_keys.sort_deliveries(part);
  has_more := EXISTS (SELECT FROM sophra_api_keys.deliveries WHERE NOT is_sorted);
  at := clock_timestamp();
  RETURN answer || pg_catalog.jsonb_build_object(
    'isDelivering', true,
    'deliveries', (
      SELECT coalesce(jsonb_agg(to_jsonb(due)), '[]')
      FROM (
        SELECT
          next.id,
          webhook.id AS "webhookId",
          next.notice_id AS "noticeId",
          webhook.url,
          json_build_object(
            'type', next.type,
            'timestamp', to_char(next.written_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'data', next.data
          )::text AS body,
          translate(encode(webhook.secret, 'base64'), E'\n', '') AS secret,
          CASE
            WHEN webhook.previous_secret_ends_at > at THEN translate(encode(webhook.previous_secret, 'base64'), E'\n', '')
          END AS "previousSecret"
        FROM sophra_api_keys.webhooks AS webhook
        CROSS JOIN LATERAL (
          SELECT delivery.id, notice.notice_id, notice.type, notice.written_at, notice.data
          FROM sophra_api_keys.deliveries AS delivery
          JOIN sophra_api_keys.notices AS notice ON notice.id = delivery.notice
          WHERE delivery.webhook_id = webhook.id AND delivery.state = 'pending' AND delivery.due_at <= at
            AND delivery.id <> ALL (in_flight)
          ORDER BY delivery.due_at, delivery.id
          LIMIT greatest(most_each - (
            SELECT count(*) FROM sophra_api_keys.deliveries AS flying WHERE flying.id = ANY (in_flight) AND flying.webhook_id = webhook.id
          ), 0)
        ) AS next
        WHERE webhook.is_active
      ) AS due
    ),
    'dueInMs', CASE WHEN has_more THEN 0 ELSE (
      SELECT ceil(extract(epoch FROM min(first.due_at) - at) * 1000)::bigint
      FROM sophra_api_keys.webhooks AS webhook
      CROSS JOIN LATERAL (
        SELECT delivery.due_at FROM sophra_api_keys.deliveries AS delivery
        WHERE delivery.webhook_id = webhook.id AND delivery.state = 'pending' AND delivery.due_at > at
        ORDER BY delivery.due_at
        LIMIT 1
      ) AS first
      WHERE webhook.is_active
    ) END,
    'lost', sophra_api_keys.take_lost_notices()
  );
END
$$;

-- How many notices were lost since this was asked last, and the SQLSTATE of one of them; NULL: none.
CREATE FUNCTION sophra_api_keys.take_lost_notices() RETURNS JSONB
LANGUAGE sql
AS $$
  WITH taken AS (DELETE FROM sophra_api_keys.lost_notices RETURNING sqlstate)
  SELECT CASE WHEN count(*) > 0 THEN pg_catalog.jsonb_build_object('count', count(*), 'sqlstate', min(sqlstate)) END FROM taken
$$;

-- Whether nobody delivers, or cannot keep up, or a receiver has refused a notice for a quarter of an hour.
CREATE FUNCTION sophra_api_keys.deliveries_are_late() RETURNS BOOLEAN
LANGUAGE plpgsql STABLE
AS $$
DECLARE
  late CONSTANT TIMESTAMPTZ := now() - interval '5 minutes';
BEGIN
  RETURN EXISTS (
    SELECT FROM sophra_api_keys.webhooks AS webhook
    WHERE webhook.is_active AND (
      EXISTS (
        SELECT FROM sophra_api_keys.deliveries AS delivery
        WHERE delivery.webhook_id = webhook.id AND delivery.state = 'pending' AND delivery.due_at < late
      )
      OR EXISTS (
        SELECT FROM sophra_api_keys.deliveries AS delivery
        WHERE delivery.webhook_id = webhook.id AND delivery.state = 'pending' AND delivery.attempts >= 10
      )
    )
  ) OR sophra_api_keys.has_webhooks() AND (
    SELECT notice.written_at < late
    FROM (SELECT notice FROM sophra_api_keys.deliveries WHERE NOT is_sorted ORDER BY id LIMIT 1) AS oldest
    JOIN sophra_api_keys.notices AS notice ON notice.id = oldest.notice
  ) IS TRUE;
END
$$;

-- Lets another process deliver at once.
CREATE FUNCTION sophra_api_keys.stop_delivering(of_process TEXT) RETURNS VOID
LANGUAGE sql
AS $$
  UPDATE sophra_api_keys.deliverer SET process = '', until = '-infinity' WHERE process = of_process
$$;

-- Deletes a part of the deliveries that ended before so many days, of those to webhooks that are gone, and of the notices that are
-- on no way any more. Returns whether there may be more.
CREATE FUNCTION sophra_api_keys.prune_notices(days INTEGER, part INTEGER) RETURNS BOOLEAN
LANGUAGE plpgsql
AS $$
DECLARE
  ended INTEGER;
  orphans INTEGER;
  idle INTEGER;
BEGIN
  DELETE FROM sophra_api_keys.deliveries WHERE id = ANY (ARRAY(
    SELECT id FROM sophra_api_keys.deliveries
    WHERE state <> 'pending' AND ended_at < now() - make_interval(days => days)
    ORDER BY ended_at LIMIT part FOR UPDATE SKIP LOCKED
  ));
  GET DIAGNOSTICS ended = ROW_COUNT;
  DELETE FROM sophra_api_keys.deliveries WHERE id = ANY (ARRAY(
    -- From one id of a webhook to the next, since there are few.
    WITH RECURSIVE known (id) AS (
      (SELECT webhook_id FROM sophra_api_keys.deliveries ORDER BY webhook_id LIMIT 1)
      UNION ALL
      SELECT (
        SELECT webhook_id FROM sophra_api_keys.deliveries AS delivery WHERE delivery.webhook_id > known.id ORDER BY webhook_id LIMIT 1
      )
      FROM known WHERE known.id IS NOT NULL
    )
    SELECT orphan.id
    FROM known CROSS JOIN LATERAL (
      SELECT delivery.id FROM sophra_api_keys.deliveries AS delivery WHERE delivery.webhook_id = known.id LIMIT part
    ) AS orphan
    WHERE NOT EXISTS (SELECT FROM sophra_api_keys.webhooks AS webhook WHERE webhook.id = known.id)
    LIMIT part
  ));
  GET DIAGNOSTICS orphans = ROW_COUNT;
  DELETE FROM sophra_api_keys.notices WHERE id = ANY (ARRAY(
    SELECT id FROM sophra_api_keys.notices AS notice
    WHERE written_at < now() - make_interval(days => prune_notices.days)
      AND NOT EXISTS (SELECT FROM sophra_api_keys.deliveries AS delivery WHERE delivery.notice = notice.id)
    ORDER BY written_at LIMIT part FOR UPDATE SKIP LOCKED
  ));
  GET DIAGNOSTICS idle = ROW_COUNT;
  RETURN greatest(ended, orphans, idle) >= part;
END
$$;

-- Tells that a key will have expired in so many days, or has, unless that was told of this expiry, or fewer days were. An expiry that was
-- moved to a later time is another one.
CREATE FUNCTION sophra_api_keys.tell_expiry(of_key TEXT, of_days INTEGER) RETURNS VOID
LANGUAGE plpgsql
AS $$
DECLARE
  key RECORD;
  told RECORD;
BEGIN
  SELECT "name", "clientId", "expiresAt" AS expires_at INTO key FROM "ApiKey"
  WHERE "id" = of_key AND "revokedAt" IS NULL AND "isActive" AND isfinite("expiresAt");
  SELECT * INTO told FROM sophra_api_keys.due_notices AS known WHERE known.key_id = of_key;
  IF key.expires_at IS NULL OR told.expires_at >= key.expires_at AND told.days <= of_days THEN
    RETURN;
  END IF;
  INSERT INTO sophra_api_keys.due_notices AS known (key_id, expires_at, days) VALUES (of_key, key.expires_at, of_days)
  ON CONFLICT (key_id) DO UPDATE SET expires_at = excluded.expires_at, days = excluded.days;
  PERFORM sophra_api_keys.write_notice(
    CASE WHEN of_days = 0 THEN 'key.expired' ELSE 'key.expiring' END,
    'key/' || of_key,
    pg_catalog.jsonb_build_object(
      'keyId', of_key, 'name', key."name", 'clientId', key."clientId", 'actor', NULL,
      'expiresAt', sophra_api_keys.api_value('expiresAt', to_jsonb(key.expires_at))
    ) || CASE WHEN of_days = 0 THEN '{}' ELSE pg_catalog.jsonb_build_object('days', of_days) END
  );
END
$$;

-- Tells that a key is unused, unless that was told since its last use.
CREATE FUNCTION sophra_api_keys.tell_unused(of_key TEXT, of_days INTEGER) RETURNS VOID
LANGUAGE plpgsql
AS $$
DECLARE
  at CONSTANT TIMESTAMP := now() AT TIME ZONE 'UTC';
  key RECORD;
BEGIN
  SELECT "name", "clientId", "lastUsedAt" AS last_used_at, coalesce("lastUsedAt", "createdAt") AS unused_since INTO key FROM "ApiKey"
  WHERE "id" = of_key AND "revokedAt" IS NULL AND "isActive" AND coalesce("expiresAt" > at, true);
  IF key.unused_since IS NULL OR key.unused_since > at - make_interval(days => of_days) OR EXISTS (
    SELECT FROM sophra_api_keys.due_notices AS known WHERE known.key_id = of_key AND known.unused_since = key.unused_since
  ) THEN
    RETURN;
  END IF;
  INSERT INTO sophra_api_keys.due_notices AS known (key_id, unused_since) VALUES (of_key, key.unused_since)
  ON CONFLICT (key_id) DO UPDATE SET unused_since = excluded.unused_since;
  PERFORM sophra_api_keys.write_notice('key.unused', 'key/' || of_key, pg_catalog.jsonb_build_object(
    'keyId', of_key, 'name', key."name", 'clientId', key."clientId", 'actor', NULL, 'days', of_days,
    'lastUsedAt', sophra_api_keys.api_value('expiresAt', to_jsonb(key.last_used_at))
  ));
END
$$;

-- Up to where keys were looked at before; if they were not yet, `first`. After the clock was set back, what comes again is looked at again.
CREATE FUNCTION sophra_api_keys.begin_scan(of_kind TEXT, first TIMESTAMP, until TIMESTAMP) RETURNS sophra_api_keys.notice_scans
LANGUAGE plpgsql
AS $$
DECLARE
  scan sophra_api_keys.notice_scans;
BEGIN
  INSERT INTO sophra_api_keys.notice_scans (kind, scanned_to) VALUES (of_kind, least(first, until)) ON CONFLICT DO NOTHING;
  SELECT * INTO scan FROM sophra_api_keys.notice_scans WHERE kind = of_kind FOR NO KEY UPDATE;
  IF scan.scanned_to > until THEN
    scan.scanned_to := until;
    scan.scanned_id := '';
  END IF;
  RETURN scan;
END
$$;

-- Notes up to where keys were looked at: to the last of a part, or to `until`.
CREATE FUNCTION sophra_api_keys.end_scan(scan sophra_api_keys.notice_scans, is_part BOOLEAN, until TIMESTAMP) RETURNS VOID
LANGUAGE sql
AS $$
  UPDATE sophra_api_keys.notice_scans AS known SET
    scanned_to = CASE WHEN is_part THEN scan.scanned_to ELSE until END,
    scanned_id = CASE WHEN is_part THEN scan.scanned_id ELSE '' END
  WHERE known.kind = scan.kind
$$;

-- Writes a part of the notices of keys that expire in these numbers of days, that have expired, and that are unused for so many days.
-- Of a key that is new, or whose expiry was changed, the fewest days that hold. Returns whether there may be more.
CREATE FUNCTION sophra_api_keys.write_due_notices(expiry_days INTEGER[], unused_days INTEGER, part INTEGER) RETURNS BOOLEAN
LANGUAGE plpgsql
AS $$
DECLARE
  at CONSTANT TIMESTAMP := now() AT TIME ZONE 'UTC';
  -- From the most to the fewest.
  steps CONSTANT INTEGER[] := ARRAY(SELECT DISTINCT step FROM unnest(expiry_days || 0) AS step ORDER BY step DESC);
  has_more BOOLEAN := false;
  looked_at INTEGER := 0;
  scan sophra_api_keys.notice_scans;
  until TIMESTAMP;
  key RECORD;
BEGIN
  IF NOT sophra_api_keys.wants_due_notices() THEN
    DELETE FROM sophra_api_keys.notice_scans;
    DELETE FROM sophra_api_keys.notice_checks WHERE id = ANY (ARRAY(SELECT id FROM sophra_api_keys.notice_checks ORDER BY id LIMIT part));
    RETURN false;
  END IF;
  FOR key IN
    DELETE FROM sophra_api_keys.notice_checks AS checked
    WHERE checked.id = ANY (ARRAY(SELECT id FROM sophra_api_keys.notice_checks ORDER BY id LIMIT part FOR UPDATE SKIP LOCKED))
    RETURNING checked.key_id, (
      SELECT min(step) FROM unnest(steps) AS step, "ApiKey" AS known
      WHERE known."id" = checked.key_id AND known."expiresAt" <= at + make_interval(days => step)
    ) AS step
  LOOP
    IF key.step IS NOT NULL THEN
      PERFORM sophra_api_keys.tell_expiry(key.key_id, key.step);
    END IF;
    PERFORM sophra_api_keys.tell_unused(key.key_id, unused_days);
    looked_at := looked_at + 1;
  END LOOP;
  has_more := looked_at >= part;
  FOR place IN 1..cardinality(steps) LOOP
    until := at + make_interval(days => steps[place]);
    -- At first, those that expire within the next step are told of that one alone.
    scan := sophra_api_keys.begin_scan(steps[place]::text, at + make_interval(days => coalesce(steps[place + 1], 0)), until);
    looked_at := 0;
    FOR key IN
      SELECT listed."id", listed."expiresAt" AS expires_at FROM "ApiKey" AS listed
      WHERE (listed."expiresAt", listed."id") > (scan.scanned_to, scan.scanned_id) AND listed."expiresAt" <= until
      ORDER BY listed."expiresAt", listed."id"
      LIMIT part
    LOOP
      PERFORM sophra_api_keys.tell_expiry(key."id", steps[place]);
      looked_at := looked_at + 1;
      scan.scanned_to := key.expires_at;
      scan.scanned_id := key."id";
    END LOOP;
    has_more := has_more OR looked_at >= part;
    PERFORM sophra_api_keys.end_scan(scan, looked_at >= part, until);
  END LOOP;
  until := at - make_interval(days => unused_days);
  scan := sophra_api_keys.begin_scan('unused', '-infinity', until);
  looked_at := 0;
  FOR key IN
    SELECT usage.key_id, usage.unused_since FROM sophra_api_keys.key_usage AS usage
    WHERE (usage.unused_since, usage.key_id) > (scan.scanned_to, scan.scanned_id) AND usage.unused_since <= until
    ORDER BY usage.unused_since, usage.key_id
    LIMIT part
  LOOP
    PERFORM sophra_api_keys.tell_unused(key.key_id, unused_days);
    looked_at := looked_at + 1;
    scan.scanned_to := key.unused_since;
    scan.scanned_id := key.key_id;
  END LOOP;
  PERFORM sophra_api_keys.end_scan(scan, looked_at >= part, until);
  RETURN has_more OR looked_at >= part;
END
$$;

-- Tells of an outage, once for all processes that met it.
CREATE FUNCTION sophra_api_keys.write_outage_notices(down_for_ms BIGINT) RETURNS VOID
LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('sophra_api_keys.outage', 0));
  IF EXISTS (
    SELECT FROM sophra_api_keys.notices WHERE written_at > clock_timestamp() - interval '1 minute' AND type = 'database.recovered'
  ) THEN
    RETURN;
  END IF;
  PERFORM sophra_api_keys.write_notice('database.unavailable', 'database', '{"actor": null}');
  PERFORM sophra_api_keys.write_notice(
    'database.recovered', 'database', pg_catalog.jsonb_build_object('actor', NULL, 'downForMs', down_for_ms)
  );
END
$$;

-- The notices of what others have done since a snapshot, for the listeners of a process, and the snapshot of now. Without one it only
-- says that this process listens. At most `most` notices, and how many there are beyond.
CREATE FUNCTION sophra_api_keys.read_notices(of_process TEXT, since TEXT, most INTEGER) RETURNS JSONB
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

-- What an operator should know about webhooks.
CREATE FUNCTION sophra_api_keys.webhook_condition() RETURNS JSONB
LANGUAGE sql STABLE
AS $$
  SELECT pg_catalog.jsonb_build_object(
    'active', count(*) FILTER (WHERE is_active),
    'unsealed', count(*) FILTER (WHERE get_byte(secret || '\x01', 0) = 0),
    'dead', (SELECT count(*) FROM sophra_api_keys.deliveries WHERE state = 'dead'),
    'isLate', sophra_api_keys.deliveries_are_late(),
    'secrets', coalesce(jsonb_agg(pg_catalog.jsonb_build_object(
      'id', id, 'secret', translate(encode(secret, 'base64'), E'\n', '')
    )) FILTER (WHERE is_active), '[]')
  )
  FROM sophra_api_keys.webhooks
$$;

-- All that the package asks about webhooks: one statement for all of it. NULL, false: there is no such thing.
CREATE FUNCTION sophra_api_keys.webhook_call(name TEXT, input JSONB) RETURNS JSONB
LANGUAGE plpgsql
AS $$
BEGIN
  CASE name
    WHEN 'set_webhook' THEN
      RETURN sophra_api_keys.set_webhook(
        input ->> 'id', (input ->> 'isNew')::boolean, input ->> 'url', input, (input ->> 'isActive')::boolean,
        decode(input ->> 'secret', 'base64'), (input ->> 'most')::integer
      );
    WHEN 'list_webhooks' THEN
      RETURN sophra_api_keys.list_webhooks();
    WHEN 'delete_webhook' THEN
      RETURN to_jsonb(sophra_api_keys.delete_webhook(input ->> 'id'));
    WHEN 'list_deliveries' THEN
      RETURN sophra_api_keys.list_deliveries(
        input ->> 'webhookId', input ->> 'state', (input ->> 'before')::bigint, (input ->> 'most')::integer
      );
    WHEN 'redeliver' THEN
      RETURN to_jsonb(sophra_api_keys.redeliver((input ->> 'id')::bigint));
    WHEN 'take_deliveries' THEN
      RETURN sophra_api_keys.take_deliveries(
        input ->> 'process', input -> 'attempts', ARRAY(SELECT jsonb_array_elements_text(input -> 'inFlight')::bigint),
        (input ->> 'mostEach')::integer
      );
    WHEN 'write_due_notices' THEN
      RETURN to_jsonb(sophra_api_keys.write_due_notices(
        ARRAY(SELECT jsonb_array_elements_text(input -> 'expiryDays')::integer), (input ->> 'unusedDays')::integer,
        (input ->> 'part')::integer
      ));
    WHEN 'write_outage_notices' THEN
      PERFORM sophra_api_keys.write_outage_notices((input ->> 'downForMs')::bigint);
    WHEN 'stop_delivering' THEN
      PERFORM sophra_api_keys.stop_delivering(input ->> 'process');
    WHEN 'read_notices' THEN
      RETURN sophra_api_keys.read_notices(input ->> 'process', input ->> 'since', (input ->> 'most')::integer);
    WHEN 'prune_notices' THEN
      RETURN to_jsonb(sophra_api_keys.prune_notices((input ->> 'days')::integer, (input ->> 'part')::integer));
    WHEN 'webhook_condition' THEN
      RETURN sophra_api_keys.webhook_condition();
  END CASE;
  RETURN NULL;
END
$$;
