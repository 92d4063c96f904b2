'use strict'

// How the rows of other libraries become items of `importApiKeys`. What has no place there is refused, never changed.

function json(value) {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    // Without the text, which may hold anything.
    throw new Error('has JSON that cannot be read')
  }
}

/** Instants without a time zone are in UTC. */
const instant = (value) =>
  typeof value !== 'string' || /(Z|[+-]\d\d(:?\d\d)?)$/.test(value)
    ? (value ?? undefined)
    : `${value.replace(' ', 'T')}Z`
const instantOf = (value) => {
  const text = instant(value)
  if (text === undefined) return undefined
  const date = new Date(text)
  if (Number.isNaN(date.getTime())) throw new Error('has an instant that cannot be read')
  return date
}
const clientOf = (...ids) => {
  const id = ids.find((id) => id !== null && id !== undefined && id !== '')
  if (id === undefined) throw new Error('names no client: give --client')
  return String(id)
}

const DAY_MS = 86_400_000
const PERIODS = { [DAY_MS]: 'day', [7 * DAY_MS]: 'week' }

/** What is left of a key that may be used so many times. */
function remainingOf({ remaining, refillAmount, refillInterval }) {
  if (refillAmount && refillInterval) {
    const period = PERIODS[refillInterval]
    if (!period)
      throw new Error('refillInterval must be a day or a week, as the periods of quotas are')
    return [{ name: 'remaining', amount: Number(refillAmount), period }]
  }
  if (remaining === null || remaining === undefined) return undefined
  return [{ name: 'remaining', amount: Number(remaining), period: 'total' }]
}

/** Permissions by resource become scopes, `files:read`. */
function scopesOf(permissions) {
  const parsed = json(permissions)
  if (!parsed) return undefined
  return Object.entries(parsed).flatMap(([resource, actions]) =>
    actions.map((action) => `${resource}:${action}`),
  )
}

/** An object, that was possibly encoded twice. */
function metadataOf(metadata) {
  const parsed = json(json(metadata))
  return parsed ?? undefined
}

const betterAuth = {
  table: 'apikey',
  order: 'id',
  itemOf(row, client) {
    const { key, rateLimitMax, rateLimitTimeWindow } = row
    if (typeof key !== 'string') throw new Error('has no key')
    const isLimited = row.rateLimitEnabled !== false && rateLimitMax > 0
    return {
      id: row.id,
      name: row.name || row.start || 'API key',
      clientId: clientOf(row.referenceId, row.userId, client),
      // SHA-256 in base64url. With disableKeyHashing it is the key itself.
      ...(/^[\w-]{43}$/.test(key)
        ? { hash: { algorithm: 'sha256', encoding: 'base64url', value: key } }
        : { key }),
      isActive: row.enabled !== false,
      expiresAt: instantOf(row.expiresAt),
      createdAt: instantOf(row.createdAt),
      lastUsedAt: instantOf(row.lastRequest),
      rateLimit: isLimited ? rateLimitMax : undefined,
      rateLimitWindowSeconds: isLimited ? rateLimitTimeWindow / 1_000 : undefined,
      quotas: remainingOf(row),
      scopes: scopesOf(row.permissions),
      metadata: metadataOf(row.metadata),
    }
  },
}

/** `id|token`, of which the SHA-256 of the token is stored. */
const laravelSanctum = {
  table: 'personal_access_tokens',
  order: 'id',
  itemOf(row, client) {
    const part = { separator: '|', hashed: 'after', before: 'row' }
    const scopes = json(row.abilities)
    return {
      // Of another table, its ids are those of the keys.
      prefix: String(row.id),
      name: row.name,
      clientId: clientOf(row.tokenable_id, client),
      hash: { algorithm: 'sha256', encoding: 'hex', value: row.token, part },
      expiresAt: instantOf(row.expires_at),
      createdAt: instantOf(row.created_at),
      lastUsedAt: instantOf(row.last_used_at),
      scopes: scopes ?? undefined,
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
    const hashed = row.hashed_key || String(row.id).slice(String(row.id).indexOf('.') + 1)
    return {
      prefix: row.prefix,
      name: row.name,
      clientId: clientOf(client, row.name),
      hash: djangoHash(hashed, { separator: '.', hashed: 'whole', before: 'row' }),
      expiresAt: instantOf(row.expiry_date),
      createdAt: instantOf(row.created),
      isActive: row.revoked !== true,
    }
  },
}

/** SHA-256 in base64. */
const unkey = {
  table: 'keys',
  order: 'id',
  itemOf(row, client) {
    const milliseconds = row.created_at_m ?? row.created_at
    return {
      id: row.id,
      name: row.name || row.start || 'API key',
      clientId: clientOf(row.identity_id, row.owner_id, client),
      hash: { algorithm: 'sha256', encoding: 'base64', value: row.hash },
      isActive: row.enabled !== false && row.enabled !== 0,
      expiresAt: instantOf(row.expires),
      createdAt: instantOf(milliseconds),
      quotas: remainingOf({ remaining: row.remaining_requests }),
      metadata: metadataOf(row.meta),
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
      key: row.key,
      name: row.name,
      clientId: clientOf(row.clientId, client),
      description: row.description,
      isActive: row.isActive,
      expiresAt: instantOf(row.expiresAt),
      createdAt: instantOf(row.createdAt),
      lastUsedAt: instantOf(row.lastUsedAt),
      allowedIps: row.allowedIps,
      rateLimit: row.rateLimit > 0 ? row.rateLimit : undefined,
      usageCount: Number(row.usageCount ?? 0),
    }
  },
}

const presets = {
  'better-auth': betterAuth,
  unkey,
  'laravel-sanctum': laravelSanctum,
  'djangorestframework-api-key': djangoRestFramework,
  'prisma-plaintext': prismaPlaintext,
}

module.exports = { presets }
