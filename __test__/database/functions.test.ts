import { Client } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addon, cheapHashing } from '../support/addon.js'
import { freshDatabase, type Database } from '../support/database.js'

let database: Database
let client: Client
let role: string
beforeEach(async () => {
  database = await freshDatabase()
  addon.configure({ databaseUrl: database.url, ...cheapHashing })
  await addon.migrate()
  role = `other_${database.url.slice(-16)}`
  await database.sql(`CREATE ROLE ${role};
    GRANT USAGE ON SCHEMA sophra_api_keys TO ${role};
    GRANT CREATE ON SCHEMA public TO ${role}`)
  client = new Client({ connectionString: database.url })
  await client.connect()
  await client.query(`SET ROLE ${role}`)
})
afterEach(async () => {
  await client.end()
  await database.sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
  await addon.close()
  await database.drop()
})

test('only functions with the rights of the caller may be called by everyone, and no trigger', async () => {
  const { rows } = await client.query(
    `SELECT proname, has_function_privilege(oid, 'EXECUTE') AS allowed, prosecdef AS definer
     FROM pg_proc WHERE pronamespace = 'sophra_api_keys'::regnamespace ORDER BY 1`,
  )
  expect(rows).toEqual([
    { proname: 'api_value', allowed: true, definer: false },
    { proname: 'begin_scan', allowed: true, definer: false },
    { proname: 'check_parent', allowed: false, definer: false },
    { proname: 'check_use', allowed: false, definer: true },
    { proname: 'clear_columns', allowed: false, definer: false },
    { proname: 'client_has_room', allowed: true, definer: false },
    { proname: 'client_has_room_within', allowed: true, definer: false },
    { proname: 'client_levels', allowed: true, definer: false },
    { proname: 'close_usage', allowed: true, definer: false },
    { proname: 'condition', allowed: true, definer: false },
    { proname: 'console_call', allowed: true, definer: false },
    { proname: 'console_token', allowed: true, definer: false },
    { proname: 'copy_key_usage', allowed: true, definer: false },
    { proname: 'delete_webhook', allowed: true, definer: false },
    { proname: 'deliveries_are_late', allowed: true, definer: false },
    { proname: 'end_scan', allowed: true, definer: false },
    { proname: 'export_usage', allowed: true, definer: false },
    { proname: 'fewest_idle_days', allowed: true, definer: false },
    { proname: 'field_changes', allowed: true, definer: false },
    { proname: 'find_by_index', allowed: true, definer: false },
    { proname: 'find_by_sorting', allowed: true, definer: false },
    { proname: 'find_console_session', allowed: true, definer: false },
    { proname: 'find_guessed', allowed: true, definer: false },
    { proname: 'find_keys', allowed: true, definer: false },
    { proname: 'fleet_totals', allowed: true, definer: false },
    { proname: 'fold_usage', allowed: true, definer: false },
    { proname: 'folded', allowed: true, definer: false },
    { proname: 'forget_import_secret', allowed: false, definer: true },
    { proname: 'get_usage', allowed: true, definer: false },
    { proname: 'grant_quota', allowed: true, definer: false },
    { proname: 'has_readers', allowed: true, definer: false },
    { proname: 'has_webhooks', allowed: true, definer: false },
    { proname: 'import_call', allowed: true, definer: false },
    { proname: 'import_key', allowed: true, definer: false },
    { proname: 'instant_at', allowed: true, definer: false },
    { proname: 'instant_in', allowed: true, definer: false },
    { proname: 'instant_of', allowed: true, definer: false },
    { proname: 'instant_text', allowed: true, definer: false },
    { proname: 'instant_value', allowed: true, definer: false },
    { proname: 'is_time_zone', allowed: true, definer: false },
    { proname: 'is_wanted', allowed: true, definer: false },
    { proname: 'key_conditions', allowed: true, definer: false },
    { proname: 'key_identity', allowed: true, definer: false },
    { proname: 'key_number', allowed: true, definer: false },
    { proname: 'lease_quota', allowed: true, definer: false },
    { proname: 'lease_quota_unless_locked', allowed: true, definer: false },
    { proname: 'list_bare_clients', allowed: true, definer: false },
    { proname: 'list_deliveries', allowed: true, definer: false },
    { proname: 'list_full_quotas', allowed: true, definer: false },
    { proname: 'list_token_keys', allowed: true, definer: false },
    { proname: 'list_usage', allowed: true, definer: false },
    { proname: 'list_webhooks', allowed: true, definer: false },
    { proname: 'lock_quota', allowed: true, definer: false },
    { proname: 'logged_usage', allowed: true, definer: false },
    { proname: 'lookup_of', allowed: true, definer: false },
    { proname: 'make_console_code', allowed: true, definer: false },
    { proname: 'may_live', allowed: true, definer: false },
    { proname: 'microseconds_until', allowed: true, definer: false },
    { proname: 'milliseconds_of', allowed: true, definer: false },
    { proname: 'missing_role', allowed: true, definer: false },
    { proname: 'nanoseconds_since', allowed: true, definer: false },
    { proname: 'nanoseconds_until', allowed: true, definer: false },
    { proname: 'note_attempts', allowed: true, definer: false },
    { proname: 'note_bulk_revocation', allowed: true, definer: false },
    { proname: 'note_change', allowed: false, definer: true },
    { proname: 'note_client_change', allowed: false, definer: true },
    { proname: 'note_finding', allowed: false, definer: false },
    { proname: 'note_grant', allowed: false, definer: true },
    { proname: 'note_key', allowed: false, definer: true },
    { proname: 'note_lost_notice', allowed: true, definer: false },
    { proname: 'note_notice', allowed: false, definer: true },
    { proname: 'note_quota', allowed: false, definer: false },
    { proname: 'note_role_change', allowed: false, definer: true },
    { proname: 'note_role_notice', allowed: false, definer: true },
    { proname: 'note_rotations', allowed: false, definer: false },
    { proname: 'note_signing_key', allowed: false, definer: true },
    { proname: 'note_token', allowed: true, definer: false },
    { proname: 'open_console_session', allowed: true, definer: false },
    { proname: 'plaintext_digest', allowed: true, definer: false },
    { proname: 'prune_notices', allowed: true, definer: false },
    { proname: 'prune_usage_history', allowed: true, definer: false },
    { proname: 'quota_period_end', allowed: true, definer: false },
    { proname: 'quota_state', allowed: true, definer: false },
    { proname: 'quota_terms', allowed: true, definer: false },
    { proname: 'read_notices', allowed: true, definer: false },
    { proname: 'redeem_console_code', allowed: true, definer: false },
    { proname: 'redeliver', allowed: true, definer: false },
    { proname: 'replace_token_key', allowed: true, definer: false },
    { proname: 'revoke_keys', allowed: true, definer: false },
    { proname: 'revoked_parents', allowed: true, definer: false },
    { proname: 'role_call', allowed: true, definer: false },
    { proname: 'role_scopes', allowed: true, definer: false },
    { proname: 'roll_up_usage', allowed: true, definer: false },
    { proname: 'scope_condition', allowed: true, definer: false },
    { proname: 'set_webhook', allowed: true, definer: false },
    { proname: 'signing_key_fingerprint', allowed: true, definer: false },
    { proname: 'sort_deliveries', allowed: true, definer: false },
    { proname: 'stop_delivering', allowed: true, definer: false },
    { proname: 'take_deliveries', allowed: true, definer: false },
    { proname: 'take_lost_notices', allowed: true, definer: false },
    { proname: 'tell_expiry', allowed: true, definer: false },
    { proname: 'tell_unused', allowed: true, definer: false },
    { proname: 'teller', allowed: true, definer: false },
    { proname: 'token_call', allowed: true, definer: false },
    { proname: 'told', allowed: true, definer: false },
    { proname: 'unused_ms', allowed: true, definer: false },
    { proname: 'usage_bounds', allowed: true, definer: false },
    { proname: 'usage_levels_above', allowed: true, definer: false },
    { proname: 'wants_due_notices', allowed: true, definer: false },
    { proname: 'webhook_call', allowed: true, definer: false },
    { proname: 'webhook_condition', allowed: true, definer: false },
    { proname: 'webhook_view', allowed: true, definer: false },
    { proname: 'write_client_notice', allowed: true, definer: false },
    { proname: 'write_due_notices', allowed: true, definer: false },
    { proname: 'write_key_notice', allowed: true, definer: false },
    { proname: 'write_notice', allowed: true, definer: false },
    { proname: 'write_outage_notices', allowed: true, definer: false },
    { proname: 'write_quota_notices', allowed: true, definer: false },
    { proname: 'write_role_notice', allowed: true, definer: false },
  ])
})

test.each([
  'note_change()',
  'note_client_change()',
  'note_grant()',
  'note_key()',
  'note_signing_key()',
  'check_parent()',
  `clear_columns('name')`,
])('nobody attaches %s to a table of their own', async (trigger) => {
  await client.query(`CREATE TABLE public.other (id TEXT, name TEXT)`)
  await expect(
    client.query(`CREATE TRIGGER other AFTER INSERT ON public.other
        FOR EACH ROW EXECUTE FUNCTION sophra_api_keys.${trigger}`),
  ).rejects.toThrow(/permission denied for function/)
})
