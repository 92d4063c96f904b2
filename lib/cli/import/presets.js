'use strict'

// How the rows of other libraries become items of `importApiKeys`. What has no place there is refused, never changed.

const { columns, itemOf: itemOfRecord } = require('./columns.js')
const { csvOf } = require('./csv.js')
const { clientOf, flagOf, instantOf, isAbsent } = require('./values.js')
const { json, rateLimitOf, textOf, totalOf } = require('./values.js')

const DAY_MS = 86_400_000
const PERIODS = { [DAY_MS]: 'day', [7 * DAY_MS]: 'week' }

/** There, a key without `remaining` has no quota, even if it has a refill. */
function quotasOfBetterAuth({ remaining, refillAmount, refillInterval }) {
  if (isAbsent(remaining)) return undefined
  if (!refillAmount || !refillInterval) return totalOf(remaining)
  if (!Object.hasOwn(PERIODS, refillInterval))
    throw new Error('refillInterval must be a day or a week, as the periods of quotas are')
  return [{ name: 'remaining', amount: Number(refillAmount), period: PERIODS[refillInterval] }]
}

/** Permissions by resource become scopes, `files:read`. */
function scopesOf(permissions) {
  return Object.entries(json(permissions) ?? {}).flatMap(([resource, actions]) => {
    if (!Array.isArray(actions)) throw new Error('permissions must have a list for each resource')
    return actions.map((action) => literal(`${resource}:${action}`))
  })
}

/** A scope of a library in which a star in it stands for itself alone. */
function literal(scope) {
  if (typeof scope === 'string' && scope.includes('*'))
    throw new Error('a permission must not have *, which stands for more here')
  return scope
}

/** Abilities are scopes. A star alone stands for all of them there, too. */
function scopesOfSanctum(abilities) {
  const scopes = json(abilities)
  return Array.isArray(scopes) ? scopes.map((one) => (one === '*' ? one : literal(one))) : scopes
}

/** SHA-256 in base64url. With `disableKeyHashing` it is the key itself. */
function betterAuthKey({ key: stored, start }) {
  const key = textOf(stored, 'key')
  const begins = isAbsent(start) ? undefined : key.startsWith(start)
  // Four characters of a hash are those by which a key begins once in 16 million.
  if (/^[\w-]{43}$/.test(key) && !(begins && start.length >= 4))
    return { hash: { algorithm: 'sha256', encoding: 'base64url', value: key } }
  // Another hash, taken for a key, would be accepted from all who can read that table.
  if (!(begins ?? !/^[\da-f]{64}$/i.test(key)))
    throw new Error('key must be a SHA-256 in base64url, or a key that begins as start says')
  return { key }
}

const betterAuth = {
  table: 'apikey',
  order: 'id',
  itemOf(row, client) {
    return {
      id: row.id,
      name: row.name || row.start || 'API key',
      clientId: clientOf(row.referenceId, row.userId, client),
      ...betterAuthKey(row),
      isActive: flagOf(row.enabled, true),
      expiresAt: instantOf(row.expiresAt),
      createdAt: instantOf(row.createdAt),
      lastUsedAt: instantOf(row.lastRequest),
      ...(flagOf(row.rateLimitEnabled, true) &&
        rateLimitOf(row.rateLimitMax, row.rateLimitTimeWindow)),
      quotas: quotasOfBetterAuth(row),
      scopes: scopesOf(row.permissions),
      // Older versions have encoded it twice.
      metadata: json(json(row.metadata)),
    }
  },
}

/** `id|token`, of which the SHA-256 of the token is stored. */
const laravelSanctum = {
  table: 'personal_access_tokens',
  order: 'id',
  itemOf(row, client) {
    const part = { separator: '|', hashed: 'after', before: 'row' }
    return {
      // The ids of that table are not unique here.
      prefix: String(row.id),
      name: row.name,
      clientId: clientOf(row.tokenable_id, client),
      hash: { algorithm: 'sha256', encoding: 'hex', value: row.token, part },
      expiresAt: instantOf(row.expires_at),
      createdAt: instantOf(row.created_at),
      lastUsedAt: instantOf(row.last_used_at),
      scopes: scopesOfSanctum(row.abilities),
    }
  },
}

/** Passwords as Django stores them: `pbkdf2_sha256$iterations$salt$hash`, or since version 3 `sha512$$hash`. */
function djangoHash(text, part) {
  const [name, ...fields] = text.split('$')
  if (name === 'sha512' && fields.length === 2 && fields[0] === '')
    return { algorithm: 'sha512', encoding: 'hex', value: fields[1], part }
  if (name === 'pbkdf2_sha256' && fields.length === 3) {
    const [iterations, salt, value] = fields
    return {
      algorithm: 'pbkdf2-sha256',
      encoding: 'base64',
      value,
      salt: Buffer.from(salt).toString('base64'),
      parameters: { iterations: Number(iterations) },
      part,
    }
  }
  throw new Error('hashed_key must be of pbkdf2_sha256 or sha512')
}

/** `prefix.secret`, all of which is hashed. */
const djangoRestFramework = {
  table: 'rest_framework_api_key_apikey',
  order: 'id',
  itemOf(row, client) {
    // The first versions have the hash in the id alone.
    const id = textOf(row.id, 'id')
    const hashed = row.hashed_key || id.slice(id.indexOf('.') + 1)
    return {
      prefix: row.prefix,
      name: row.name,
      clientId: clientOf(client, row.name),
      hash: djangoHash(textOf(hashed, 'hashed_key'), {
        separator: '.',
        hashed: 'whole',
        before: 'row',
      }),
      expiresAt: instantOf(row.expiry_date),
      createdAt: instantOf(row.created),
      isActive: !flagOf(row.revoked, false),
    }
  },
}

/** A refill of each day, or on a day of each month. */
function quotasOfUnkey({ remaining_requests: remaining, refill_amount, refill_day }) {
  if (isAbsent(remaining)) return undefined
  if (!refill_amount) return totalOf(remaining)
  const quota = { name: 'remaining', amount: Number(refill_amount) }
  return [
    refill_day ? { ...quota, period: 'month', anchorDay: refill_day } : { ...quota, period: 'day' },
  ]
}

/** SHA-256 in base64. Keys that were deleted there have kept their rows. */
const unkey = {
  table: 'keys',
  order: 'id',
  itemOf(row, client) {
    if (!isAbsent(row.pending_migration_id))
      throw new Error('pending_migration_id must be empty: another program has made the hash')
    return {
      id: row.id,
      name: row.name || row.start || 'API key',
      clientId: clientOf(row.identity_id, row.owner_id, client),
      hash: { algorithm: 'sha256', encoding: 'base64', value: row.hash },
      isActive: flagOf(row.enabled, true),
      expiresAt: instantOf(row.expires),
      createdAt: instantOf(row.created_at_m || row.created_at),
      revokedAt: instantOf(row.deleted_at_m ?? row.deleted_at),
      ...rateLimitOf(row.ratelimit_limit, row.ratelimit_duration),
      quotas: quotasOfUnkey(row),
      metadata: json(row.meta),
    }
  },
}

/** Plaintext keys in the table that this package shares with Prisma, in another database. */
const prismaPlaintext = {
  table: 'ApiKey',
  order: 'id',
  itemOf(row, client) {
    return {
      id: row.id,
      key: textOf(row.key, 'key'),
      name: row.name,
      clientId: clientOf(row.clientId, client),
      description: row.description,
      isActive: flagOf(row.isActive, true),
      expiresAt: instantOf(row.expiresAt),
      createdAt: instantOf(row.createdAt),
      lastUsedAt: instantOf(row.lastUsedAt),
      allowedIps: row.allowedIps,
      rateLimit: row.rateLimit > 0 ? row.rateLimit : undefined,
      usageCount: Number(row.usageCount ?? 0),
    }
  },
}

/** Items, a line for each. */
const csv = { read: (lines) => csvOf(lines, columns), itemOf: itemOfRecord }

const presets = {
  'better-auth': betterAuth,
  unkey,
  'laravel-sanctum': laravelSanctum,
  'djangorestframework-api-key': djangoRestFramework,
  'prisma-plaintext': prismaPlaintext,
  csv,
}

module.exports = { presets }
