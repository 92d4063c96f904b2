'use strict'

// The public keys with which GitHub signs its reports, as https://api.github.com/meta/public_keys/secret_scanning lists them.

const { createPublicKey } = require('node:crypto')
const { wrongValue } = require('../guard/options.js')

/** How long a list is used before it is asked for again: a key that GitHub has withdrawn is not accepted for longer. */
const FRESH_MS = 3_600_000
/** The least time from one question to the next: anybody can send an identifier that no list has. */
const PAUSE_MS = 10_000

/**
 * Makes a function that finds a key by its identifier. `keys` is a list, or a function that gives one. The function is asked when a
 * key is first needed, and again for one that its list does not have. What it throws, the call throws.
 */
exports.signingKeys = (keys) => {
  if (typeof keys !== 'function') {
    const known = read(keys)
    return async (id) => known.get(id)
  }
  let known = new Map()
  let asking
  let askedAt = -Infinity
  const ask = async () => {
    known = read(await keys())
  }
  return async (id) => {
    const age = performance.now() - askedAt
    if (known.has(id) && age < FRESH_MS) return known.get(id)
    if (age >= PAUSE_MS) {
      askedAt = performance.now()
      asking = ask()
    }
    // Whoever comes meanwhile gets the same list, or the same error.
    await asking
    return known.get(id)
  }
}

/** The keys of a list by their identifiers. Keys of other algorithms are none of this contract. */
function read(list) {
  if (!Array.isArray(list)) throw wrong('must be a list like public_keys of GitHub, or a function')
  const keys = list.map(readEntry).filter(([, key]) => isP256(key))
  if (keys.length === 0) throw wrong('has no P-256 key')
  return new Map(keys)
}

function readEntry(entry) {
  try {
    const { key_identifier: id, key } = { __proto__: null, ...entry }
    if (typeof id === 'string' && typeof key === 'string') return [id, createPublicKey(key)]
  } catch {
    // The cause may quote what was given.
  }
  throw wrong('has an entry without a key_identifier or a public key in PEM')
}

const isP256 = ({ asymmetricKeyType, asymmetricKeyDetails }) =>
  asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1'

const wrong = (why) => wrongValue('leakRoutes', 'keys', why)
