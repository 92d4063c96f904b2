'use strict'

const { date, duration, json, number } = require('../values.js')

/** What may be set of a key: option, and field of the input. */
const options = {
  name: { value: '<text>', help: 'What the key is called' },
  client: { value: '<id>', help: 'Whom the key identifies' },
  description: { value: '<text>', help: 'A note' },
  expires: {
    ...date,
    help: 'From when it is refused: 30d, 2027-01-31 (UTC), 2027-01-31T12:00:00Z',
  },
  'rate-limit': { ...number, help: 'Requests per window, 1 to 1,000,000' },
  window: { ...duration, help: 'The window of the rate limit: 60, 15m, 1h; at most a day' },
  allow: { value: '<ip>', multiple: true, help: 'Address or network that may present it' },
  scope: { value: '<scope>', multiple: true, help: 'What it may do, e.g. docs:read or docs:*' },
  metadata: { ...json, help: 'A JSON object of the app' },
}

const fields = {
  name: 'name',
  client: 'clientId',
  description: 'description',
  expires: 'expiresAt',
  'rate-limit': 'rateLimit',
  window: 'rateLimitWindowSeconds',
  allow: 'allowedIps',
  scope: 'scopes',
  metadata: 'metadata',
}

/** The given options as fields of an input. */
function inputOf(given) {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([option]) => given[option] !== undefined)
      .map(([option, field]) => [field, given[option]]),
  )
}

/** In a word, as of now. */
function stateOf(key, now = new Date()) {
  if (!key.isActive) return 'disabled'
  if (key.expiresAt && key.expiresAt <= now) return 'expired'
  if (key.suspendedUntil && key.suspendedUntil > now) return 'suspended'
  return 'active'
}

function limitOf({ rateLimit, rateLimitWindowSeconds: window }) {
  if (rateLimit === null) return 'none'
  return window === null ? `${rateLimit} per window` : `${rateLimit} per ${window} s`
}

/** All of a key, for people. */
function record(key) {
  return [
    ['id', key.id],
    ['name', key.name],
    ['client', key.clientId],
    ['state', stateOf(key)],
    ['begins with', key.start],
    ['description', key.description],
    ['expires', key.expiresAt ?? 'never'],
    ['rate limit', limitOf(key)],
    ['allowed from', key.allowedIps.length > 0 ? key.allowedIps : 'everywhere'],
    ['scopes', key.scopes],
    ['metadata', key.metadata],
    ['used', key.usageCount],
    ['last used', key.lastUsedAt ?? 'never'],
    ['created', key.createdAt],
    ['changed', key.updatedAt],
    ...(key.suspendedUntil ? [['suspended until', key.suspendedUntil]] : []),
    ...(key.previousKeyExpiresAt ? [['old key valid until', key.previousKeyExpiresAt]] : []),
  ]
}

module.exports = { fields, inputOf, limitOf, options, record, stateOf }
