// The entries of the audit log in words.

import type { AuditEntry, AuditType } from './types.ts'

/** Every type has a text: the compiler says which one is missing. */
export const AUDIT_TYPES: Record<AuditType, string> = {
  'key.issued': 'Key created',
  'keys.imported': 'Keys imported',
  'key.changed': 'Key changed',
  'key.restored': 'Key restored',
  'key.deleted': 'Key deleted',
  'key.revoked': 'Key revoked',
  'key.leaked': 'Key leaked',
  'key.refused': 'Key refused',
  'key.suspended': 'Key suspended',
  'key.rotation.first_use': 'New key first used',
  'key.previous_still_used': 'Old key still used',
  'key.reuse_detected': 'Replaced key presented',
  'key.unreadable': 'Hash of a key unreadable',
  'key.unwritable': 'Key cannot be updated',
  'admin.issued': 'Admin token created',
  'admin.rotated': 'Admin token rotated',
  'admin.revoked': 'Admin token revoked',
  'admin.refused': 'Admin token refused',
  'admin.signed_in': 'Signed in to the console',
  'admin.signed_out': 'Signed out of the console',
  'admin.link_issued': 'Sign-in link made',
  'admin.adopted': 'Admin token adopted',
  'client.changed': 'Client changed',
  'client.deleted': 'Client settings deleted',
  'role.changed': 'Role changed',
  'role.deleted': 'Role deleted',
  'quota.granted': 'Quota granted',
  'token_key.rotated': 'Token key rotated',
  'webhook.changed': 'Webhook changed',
  'webhook.deleted': 'Webhook deleted',
  'webhook.failing': 'Webhook failing',
  'notices.lost': 'Notices lost',
  'database.unavailable': 'Database unavailable',
  'database.recovered': 'Database recovered',
  'changes.untracked': 'Changes untracked',
  'migration.waiting': 'Migration waiting',
  'internal.error': 'Internal error',
  'configuration.warning': 'Configuration warning',
}

/** A later version of the server may have types that this one does not know. */
export const typeText = (type: string): string => AUDIT_TYPES[type as AuditType] ?? type

/** A key that got a new plaintext was rotated, which is a change as any other in the log. */
export const entryText = (entry: AuditEntry): string =>
  entry.type === 'key.changed' && isObject(entry.changes) && 'key' in entry.changes
    ? 'Key rotated'
    : typeText(entry.type)

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** Fields that are said elsewhere in the row. */
const SAID = new Set([
  'id',
  'type',
  'at',
  'count',
  'actor',
  'changes',
  'keyId',
  'tokenId',
  'name',
  'clientId',
  'role',
])

/** What an entry says beside its type, as pairs. Values are texts or JSON. */
export function details(entry: AuditEntry): [name: string, value: string][] {
  return Object.entries(entry)
    .filter(([name, value]) => !SAID.has(name) && value !== null && value !== undefined)
    .map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)])
}

/** The changed fields of an entry, each as it was and as it is. */
export function changesOf(entry: AuditEntry): [field: string, before: string, after: string][] {
  const { changes } = entry
  if (!isObject(changes)) return []
  return Object.entries(changes as Record<string, { before?: unknown; after?: unknown }>)
    .filter(([field]) => field !== 'key')
    .map(([field, { before, after } = {}]) => [field, textOf(before), textOf(after)])
}

const textOf = (value: unknown): string =>
  value === undefined ? '' : typeof value === 'string' ? value : plain(value)

/** JSON as people read it: without quotation marks, and without what says nothing. */
function plain(value: unknown): string {
  if (value === null) return 'none'
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(plain).join(', ')
  if (typeof value !== 'object') return String(value)
  return Object.values(value as object)
    .filter((inner) => inner !== null)
    .map(plain)
    .join(' ')
}
