//! The columns that the migrations leave on the tables of the app, and all triggers.
//! Generated from a migrated database by `npm run sqlx:prepare`. Do not edit.

use super::expected::{Column, Trigger};

#[rustfmt::skip]
pub const COLUMNS: &[Column] = &[
    Column { table: "ApiKey", name: "id", definition: "text NOT NULL", added: false },
    Column { table: "ApiKey", name: "key", definition: "text NOT NULL", added: false },
    Column { table: "ApiKey", name: "clientId", definition: "text NOT NULL", added: false },
    Column { table: "ApiKey", name: "name", definition: "text NOT NULL", added: false },
    Column { table: "ApiKey", name: "description", definition: "text", added: false },
    Column { table: "ApiKey", name: "isActive", definition: "boolean NOT NULL DEFAULT true", added: false },
    Column { table: "ApiKey", name: "expiresAt", definition: "timestamp(3) without time zone", added: false },
    Column { table: "ApiKey", name: "createdAt", definition: "timestamp(3) without time zone NOT NULL DEFAULT CURRENT_TIMESTAMP", added: false },
    Column { table: "ApiKey", name: "updatedAt", definition: "timestamp(3) without time zone NOT NULL", added: false },
    Column { table: "ApiKey", name: "lastUsedAt", definition: "timestamp(3) without time zone", added: false },
    Column { table: "ApiKey", name: "allowedIps", definition: "text[] DEFAULT ARRAY[]::text[]", added: false },
    Column { table: "ApiKey", name: "rateLimit", definition: "integer", added: false },
    Column { table: "ApiKey", name: "usageCount", definition: "bigint NOT NULL DEFAULT 0", added: false },
    Column { table: "ApiKey", name: "lookup", definition: "text", added: true },
    Column { table: "ApiKey", name: "start", definition: "text", added: true },
    Column { table: "ApiKey", name: "createdBy", definition: "text", added: true },
    Column { table: "ApiKey", name: "scopes", definition: "text[] NOT NULL DEFAULT '{}'::text[]", added: true },
    Column { table: "ApiKey", name: "metadata", definition: "jsonb", added: true },
    Column { table: "ApiKey", name: "rateLimitWindowSeconds", definition: "integer", added: true },
    Column { table: "ApiKey", name: "suspendedUntil", definition: "timestamp(3) without time zone", added: true },
    Column { table: "ApiKey", name: "limiterEpoch", definition: "integer NOT NULL DEFAULT 0", added: true },
    Column { table: "ApiKey", name: "previousKey", definition: "text", added: true },
    Column { table: "ApiKey", name: "previousLookup", definition: "text", added: true },
    Column { table: "ApiKey", name: "previousKeyExpiresAt", definition: "timestamp(3) without time zone", added: true },
    Column { table: "ApiKey", name: "signingKey", definition: "text", added: true },
    Column { table: "ApiKey", name: "previousSigningKey", definition: "text", added: true },
    Column { table: "ApiKey", name: "coldDigest", definition: "bytea", added: true },
    Column { table: "ApiKey", name: "previousColdDigest", definition: "bytea", added: true },
    Column { table: "AdminToken", name: "id", definition: "text NOT NULL", added: false },
    Column { table: "AdminToken", name: "token", definition: "text NOT NULL", added: false },
    Column { table: "AdminToken", name: "name", definition: "text NOT NULL", added: false },
    Column { table: "AdminToken", name: "description", definition: "text", added: false },
    Column { table: "AdminToken", name: "isActive", definition: "boolean NOT NULL DEFAULT true", added: false },
    Column { table: "AdminToken", name: "createdAt", definition: "timestamp(3) without time zone NOT NULL DEFAULT CURRENT_TIMESTAMP", added: false },
    Column { table: "AdminToken", name: "updatedAt", definition: "timestamp(3) without time zone NOT NULL", added: false },
    Column { table: "AdminToken", name: "lastUsedAt", definition: "timestamp(3) without time zone", added: false },
    Column { table: "AdminToken", name: "permissions", definition: "text[]", added: true },
    Column { table: "AdminToken", name: "lookup", definition: "text", added: true },
    Column { table: "AdminToken", name: "expiresAt", definition: "timestamp(3) without time zone", added: true },
];

#[rustfmt::skip]
pub(super) const TRIGGERS: &[Trigger] = &[
    Trigger { table: "\"ApiKey\"", name: "sophra_api_keys_change", definition: "CREATE TRIGGER sophra_api_keys_change AFTER INSERT OR DELETE ON \"ApiKey\" FOR EACH ROW EXECUTE FUNCTION sophra_api_keys.note_change();" },
    Trigger { table: "\"ApiKey\"", name: "sophra_api_keys_plaintext", definition: "CREATE TRIGGER sophra_api_keys_plaintext BEFORE INSERT OR UPDATE OF key, lookup ON \"ApiKey\" FOR EACH ROW WHEN (new.key !~~ '$argon2id$%'::text) EXECUTE FUNCTION sophra_api_keys.clear_columns('lookup', 'start', 'signingKey', 'coldDigest', 'previousKey', 'previousLookup', 'previousSigningKey', 'previousColdDigest', 'previousKeyExpiresAt');" },
    Trigger { table: "\"ApiKey\"", name: "sophra_api_keys_truncate", definition: "CREATE TRIGGER sophra_api_keys_truncate AFTER TRUNCATE ON \"ApiKey\" FOR EACH STATEMENT EXECUTE FUNCTION sophra_api_keys.note_change();" },
    Trigger { table: "\"ApiKey\"", name: "sophra_api_keys_update", definition: "CREATE TRIGGER sophra_api_keys_update AFTER UPDATE ON \"ApiKey\" FOR EACH ROW WHEN (old.id IS DISTINCT FROM new.id OR old.\"clientId\" IS DISTINCT FROM new.\"clientId\" OR old.name IS DISTINCT FROM new.name OR old.\"isActive\" IS DISTINCT FROM new.\"isActive\" OR old.\"expiresAt\" IS DISTINCT FROM new.\"expiresAt\" OR old.\"allowedIps\" IS DISTINCT FROM new.\"allowedIps\" OR old.\"rateLimit\" IS DISTINCT FROM new.\"rateLimit\" OR old.scopes IS DISTINCT FROM new.scopes OR old.metadata IS DISTINCT FROM new.metadata OR old.\"rateLimitWindowSeconds\" IS DISTINCT FROM new.\"rateLimitWindowSeconds\" OR old.\"suspendedUntil\" IS DISTINCT FROM new.\"suspendedUntil\" OR old.\"limiterEpoch\" IS DISTINCT FROM new.\"limiterEpoch\" OR old.\"previousKey\" IS DISTINCT FROM new.\"previousKey\" OR old.\"previousLookup\" IS DISTINCT FROM new.\"previousLookup\" OR old.\"previousKeyExpiresAt\" IS DISTINCT FROM new.\"previousKeyExpiresAt\" OR (old.key IS DISTINCT FROM new.key OR old.lookup IS DISTINCT FROM new.lookup) AND (old.lookup IS NULL AND new.key ~~ '$argon2id$%'::text AND new.lookup = ('sha256:'::text || encode(sophra_api_keys.plaintext_digest(old.key), 'hex'::text))) IS NOT TRUE) EXECUTE FUNCTION sophra_api_keys.note_change();" },
    Trigger { table: "\"AdminToken\"", name: "sophra_api_keys_change", definition: "CREATE TRIGGER sophra_api_keys_change AFTER INSERT OR DELETE ON \"AdminToken\" FOR EACH ROW EXECUTE FUNCTION sophra_api_keys.note_change();" },
    Trigger { table: "\"AdminToken\"", name: "sophra_api_keys_expiry", definition: "CREATE TRIGGER sophra_api_keys_expiry BEFORE UPDATE OF token ON \"AdminToken\" FOR EACH ROW WHEN (old.token ~~ 'sha256:%'::text AND new.token !~~ 'sha256:%'::text AND NOT new.\"expiresAt\" IS DISTINCT FROM old.\"expiresAt\") EXECUTE FUNCTION sophra_api_keys.clear_columns('expiresAt');" },
    Trigger { table: "\"AdminToken\"", name: "sophra_api_keys_plaintext", definition: "CREATE TRIGGER sophra_api_keys_plaintext BEFORE INSERT OR UPDATE OF token, lookup ON \"AdminToken\" FOR EACH ROW WHEN (new.token !~~ 'sha256:%'::text) EXECUTE FUNCTION sophra_api_keys.clear_columns('lookup');" },
    Trigger { table: "\"AdminToken\"", name: "sophra_api_keys_truncate", definition: "CREATE TRIGGER sophra_api_keys_truncate AFTER TRUNCATE ON \"AdminToken\" FOR EACH STATEMENT EXECUTE FUNCTION sophra_api_keys.note_change();" },
    Trigger { table: "\"AdminToken\"", name: "sophra_api_keys_update", definition: "CREATE TRIGGER sophra_api_keys_update AFTER UPDATE ON \"AdminToken\" FOR EACH ROW WHEN (old.id IS DISTINCT FROM new.id OR old.name IS DISTINCT FROM new.name OR old.\"isActive\" IS DISTINCT FROM new.\"isActive\" OR old.\"expiresAt\" IS DISTINCT FROM new.\"expiresAt\" OR old.permissions IS DISTINCT FROM new.permissions OR (old.token IS DISTINCT FROM new.token OR old.lookup IS DISTINCT FROM new.lookup) AND (old.lookup IS NULL AND new.token = new.lookup AND new.lookup = ('sha256:'::text || encode(sophra_api_keys.plaintext_digest(old.token), 'hex'::text))) IS NOT TRUE) EXECUTE FUNCTION sophra_api_keys.note_change();" },
    Trigger { table: "sophra_api_keys.change_log", name: "sophra_api_keys_probe", definition: "CREATE TRIGGER sophra_api_keys_probe AFTER UPDATE OF probed_at ON sophra_api_keys.change_log FOR EACH ROW EXECUTE FUNCTION sophra_api_keys.note_change();" },
    Trigger { table: "sophra_api_keys.signing_keys", name: "sophra_api_keys_exposed", definition: "CREATE TRIGGER sophra_api_keys_exposed AFTER INSERT OR UPDATE ON sophra_api_keys.signing_keys FOR EACH ROW WHEN (new.key IS NOT NULL) EXECUTE FUNCTION sophra_api_keys.note_signing_key();" },
];
