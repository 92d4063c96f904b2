'use strict'

// `@sophra/api-keys/edge`: verifies derived tokens by WebCrypto, where neither Node.js nor the database is. It imports nothing.

/** How long public keys are used before they are fetched again, and how long after a fetch an unknown one leads to another. */
const KEYS_MS = 300_000
const UNKNOWN_MS = 30_000
/** The same for the list of revoked keys; while it cannot be fetched, the last one holds for `REVOKED_MAX_MS`. */
const REVOKED_MS = 1_000
const REVOKED_MAX_MS = 30_000
const RETRY_MS = 1_000
const FETCH_MS = 5_000

const TOKEN_MAX = 8_192
/** No token is made for more than a day. The rest is for clocks that differ: who has stolen a token key must not have tokens for ever. */
const LIFE_MAX_MS = 90_000_000
const DEPTH_MAX = 32
const OPTIONS = ['jwks', 'audience', 'revoked']

// The signature is written in the only way that there is for its bytes.
const TOKEN = /^([\w-]+)\.([\w-]+)\.([\w-]{85}[AQgw])$/
const HEADER = /^\{"alg":"EdDSA","kid":"([\da-f-]{36})"\}$/
const SCOPE = /^[\w:.*/-]{1,100}$/

const isText = (value) => typeof value === 'string'
const isUrl = (value) => isText(value) || value instanceof URL

const refusal = (code, status = 401, message = 'Invalid API key') => ({
  valid: false,
  code,
  status,
  message,
})

const bytesOf = (text) =>
  Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))

/** Whether so much time has passed since. If the clock was set back, nobody knows how much. */
function hasPassed(since, ms) {
  const passed = Date.now() - since
  return passed < 0 || passed >= ms
}

/**
 * What a URL answers, as `read` understands it, fetched again when it is older than asked for, and forgotten after `keptMs`, if that is
 * given. Callers share a fetch.
 */
function remote(url, read, keptMs) {
  let value
  let pending
  let loadedAt = -Infinity
  let triedAt = -Infinity
  const load = async () => {
    const began = Date.now()
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_MS) })
      if (response.ok) {
        value = read(await response.json())
        loadedAt = began
      }
    } catch {
      // The last answer holds for a while.
    }
    pending = undefined
  }
  return async (ageMs) => {
    if (hasPassed(loadedAt, ageMs)) {
      if (!pending && hasPassed(triedAt, value ? ageMs : RETRY_MS)) {
        triedAt = Date.now()
        pending = load()
      }
      await pending
    }
    if (!value || (keptMs && hasPassed(loadedAt, keptMs))) throw new TypeError()
    return value
  }
}

/** The keys of a JWKS by their names. */
function keysOf({ keys }) {
  const known = new Map()
  for (const { kty, crv, kid, x } of keys)
    if (kty === 'OKP' && crv === 'Ed25519' && isText(kid) && isText(x)) known.set(kid, { x })
  return known
}

/** What is no list must not let everybody in. */
function idsOf({ revoked }) {
  if (!Array.isArray(revoked)) throw new TypeError()
  return new Set(revoked)
}

/** What `read` makes of a part of a token; `undefined` if it is none of ours. */
function part(text, read) {
  try {
    return read(new TextDecoder().decode(bytesOf(text)))
  } catch {
    return undefined
  }
}

/** The key of this name, ready to verify. */
async function keyOf(keys, kid) {
  const found = (await keys(KEYS_MS)).get(kid) ?? (await keys(UNKNOWN_MS)).get(kid)
  if (!found) return undefined
  found.key ??= await crypto.subtle.importKey('raw', bytesOf(found.x), 'Ed25519', false, ['verify'])
  return found.key
}

/** Whether a held scope covers the one that is asked for: a `*` stands for a segment that is not empty, and a last one for all the rest. */
function covers(held, asked) {
  const [holds, wants] = [held.split(':'), asked.split(':')]
  for (let at = 0; at < holds.length; at++) {
    if (at >= wants.length) return false
    if (holds[at] === '*' && at === holds.length - 1) return true
    const isIt = holds[at] === '*' ? wants[at] !== '' : holds[at] === wants[at]
    if (!isIt) return false
  }
  return holds.length === wants.length
}

/** Whether a query of scopes is met. Scopes that are not held are added to `missing`. Throws for what is no query. */
function isMet(query, scopes, missing, depth = 0) {
  if (isText(query) && SCOPE.test(query)) {
    const isHeld = scopes.some((scope) => covers(scope, query))
    if (!isHeld) missing.add(query)
    return isHeld
  }
  const [kind, ...others] = Object.keys(query)
  const parts = query[kind]
  const isGroup = others.length === 0 && /^(all|any)$/.test(kind) && Array.isArray(parts)
  if (isText(query) || !isGroup || depth > DEPTH_MAX) throw new TypeError()
  const met = parts.map((part) => isMet(part, scopes, missing, depth + 1))
  return kind === 'all' ? met.every(Boolean) : met.some(Boolean)
}

/**
 * Makes a verifier of derived tokens. `jwks` is a JWKS or its URL, `audience` the one that tokens must have, `revoked` the ids of keys
 * whose tokens are refused, or the URL of the list.
 */
exports.createTokenVerifier = (options) => {
  const { jwks, audience, revoked } = { __proto__: null, ...options }
  const known = Object.keys(options).every((name) => OPTIONS.includes(name))
  const isGood =
    known &&
    (isUrl(jwks) || Array.isArray(jwks?.keys)) &&
    (audience === undefined || (isText(audience) && audience !== '')) &&
    (revoked === undefined || isUrl(revoked) || Array.isArray(revoked))
  if (!isGood)
    throw new TypeError('createTokenVerifier: the options are { jwks, audience?, revoked? }')
  const fixed = (value) => async () => value
  const keys = isUrl(jwks) ? remote(jwks, keysOf) : fixed(keysOf(jwks))
  const gone = isUrl(revoked) ? remote(revoked, idsOf, REVOKED_MAX_MS) : fixed(new Set(revoked))

  async function checked(token, query) {
    if (token === undefined || token === null || token === '') return refusal('MISSING_KEY')
    const parts = isText(token) && token.length <= TOKEN_MAX && TOKEN.exec(token)
    const kid = parts && part(parts[1], (header) => HEADER.exec(header)?.[1])
    const key = kid && (await keyOf(keys, kid))
    if (!key) return refusal('INVALID_KEY')
    const signed = new TextEncoder().encode(`${parts[1]}.${parts[2]}`)
    if (!(await crypto.subtle.verify('Ed25519', key, bytesOf(parts[3]), signed)))
      return refusal('INVALID_KEY')
    const claims = part(parts[2], JSON.parse)
    const { sub, client_id: clientId, scope, exp, aud } = { __proto__: null, ...claims }
    if (![sub, clientId, scope].every(isText) || !Number.isInteger(exp))
      return refusal('INVALID_KEY')
    if (aud !== audience) return refusal('INVALID_KEY')
    const left = exp * 1000 - Date.now()
    if (left > LIFE_MAX_MS) return refusal('INVALID_KEY')
    if (left <= 0) return { ...refusal('EXPIRED'), keyId: sub }
    if ((await gone(REVOKED_MS)).has(sub)) return { ...refusal('REVOKED'), keyId: sub }
    const scopes = scope.split(' ').filter(Boolean)
    const missing = new Set()
    if (!isMet(query, scopes, missing)) {
      const lacking = refusal('INSUFFICIENT_SCOPE', 403, 'API key lacks a required scope')
      return { ...lacking, missingScopes: [...missing], keyId: sub }
    }
    const expiresAt = new Date(exp * 1000)
    return { valid: true, code: 'VALID', keyId: sub, clientId, scopes, claims, expiresAt }
  }

  const verify = async (token, wanted) => {
    let query
    try {
      const { scopes, ...others } = { __proto__: null, ...wanted }
      query = Array.isArray(scopes ?? []) ? { all: scopes ?? [] } : scopes
      if (isText(query) || Object.keys(others).length > 0) throw new TypeError()
      isMet(query, [], new Set())
    } catch {
      return refusal('INVALID_INPUT', 500, 'The scopes that are asked for are none')
    }
    try {
      return await checked(token, query)
    } catch {
      return refusal('UNAVAILABLE', 503, 'The token cannot be verified now')
    }
  }
  return { verify }
}
