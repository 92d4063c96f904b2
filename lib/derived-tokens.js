'use strict'

// Tokens that are derived from keys, or from verifications of this process.

const native = require('./addon.js')
const { withDates } = require('./dates.js')
const { guarded, unwrap } = require('./errors.js')
const { flushAtExit } = require('./exit.js')
const { rememberedBy } = require('./templates.js')

exports.deriveToken = async (key, options) => {
  flushAtExit()
  const verified = verificationOf(key)
  if (!verified) return withDates(unwrap(await guarded(native.deriveToken, key, options)))
  const { keyId, keyNumber, until, isOfToken } = verified
  // No token is derived from a token: without a key the native side says so.
  if (isOfToken) return unwrap(await guarded(native.deriveToken, NO_KEY, options))
  const limit = until === null ? undefined : String(until)
  const derived = unwrap(
    await guarded(native.deriveToken, undefined, options, keyId, keyNumber, limit),
  )
  if (derived.valid === false && derived.code !== 'INVALID_KEY') derived.keyId = keyId
  return withDates(derived)
}

/** The public keys, as a JWKS (RFC 7517, RFC 8037). */
exports.jwks = async () => {
  flushAtExit()
  const keys = unwrap(await guarded(native.tokenKeys))
  return { keys: keys.map(jwkOf) }
}

const jwkOf = ({ kid, x }) => ({ kty: 'OKP', crv: 'Ed25519', x, kid, alg: 'EdDSA', use: 'sig' })

/** The ids of the keys with living tokens that may not be used any more. */
exports.revokedParents = async () => {
  flushAtExit()
  return unwrap(await guarded(native.revokedParents))
}

/** What is no key: a value that no request presents. */
const NO_KEY = Object.freeze({})

/**
 * The verification that `verifyApiKey` of this process has answered, as it was then: what became of the object since does not matter,
 * but where it names another key it is not believed. Getters are not called.
 */
function verificationOf(value) {
  if (typeof value !== 'object' || value === null) return undefined
  try {
    const scopes = fieldOf(value, 'scopes')
    const verified = Array.isArray(scopes) ? rememberedBy(scopes) : undefined
    const isIt =
      verified !== undefined &&
      fieldOf(value, 'valid') === true &&
      fieldOf(value, 'keyId') === verified.keyId &&
      fieldOf(value, 'clientId') === verified.clientId
    return isIt ? verified : undefined
  } catch {
    // A proxy threw.
    return undefined
  }
}

const fieldOf = (object, name) => Object.getOwnPropertyDescriptor(object, name)?.value
