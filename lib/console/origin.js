'use strict'

// Who may change something: pages of the console alone. Another site can neither set the header, for which its page would have to
// ask first, nor the origin.

const native = require('../addon.js')
const { failure } = require('../next/responses.js')

const HEADER = 'x-api-keys-console'
const READS = ['GET', 'HEAD']

/** The refusal of a change that another site may have made; `undefined` otherwise. */
exports.forgery = (request, origins) => {
  if (READS.includes(request.method)) return undefined
  if (!isOwn(request, origins)) return refused('This request does not come from the console')
  if (request.headers.get(HEADER) !== '1') return refused(`The header ${HEADER}: 1 is missing`)
  return undefined
}

const refused = (message) => failure({ status: 403, code: 'ORIGIN_NOT_ALLOWED', message })

function isOwn(request, origins) {
  const origin = originOf(request.headers.get('origin'))
  if (!origin) return false
  return origins.includes(origin.origin) || hostLike(hostOf(request), origin) === origin.host
}

/** `null`, which pages without an origin send, is none. */
function originOf(text) {
  try {
    const url = new URL(text)
    return url.origin === text ? url : undefined
  } catch {
    return undefined
  }
}

/** The host that the client has asked for. Only a proxy of the operator is believed about it. */
function hostOf({ headers, url }) {
  const forwarded = native.isBehindProxies() ? headers.get('x-forwarded-host') : null
  return forwarded ?? headers.get('host') ?? new URL(url).host
}

/** A host as the origin would have it: without the port that is meant anyway. */
function hostLike(host, { protocol }) {
  if (!/^[\w.:[\]-]+$/.test(host)) return undefined
  try {
    return new URL(`${protocol}//${host}`).host
  } catch {
    return undefined
  }
}
