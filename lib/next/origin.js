'use strict'

// Whether a change was asked for by a page of the app itself. A browser sends the cookies of a session whichever page has made it send
// the request, and says in `Origin` which one that was.

const { clientAddress } = require('../guard/client.js')
const { isOrigin } = require('../guard/options.js')
const { failure } = require('./responses.js')
const { view } = require('./view.js')

/** A name or an address, perhaps with a port: what `Host` may hold. */
const HOST = /^(?:[\w.-]{1,253}|\[[\da-f:.]{2,45}\])(?::\d{1,5})?$/i
/** What a form sends without asking (https://fetch.spec.whatwg.org/#cors-safelisted-request-header). */
const FORM = /^(?:application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)$/i

/** The refusal of a change that another site may have asked for. */
exports.refusalOfOrigin = (request, origins = []) =>
  isFromOwnPage(request, origins) ? undefined : failure(wrongOrigin)

/** The same, and of one that a form has sent. */
exports.refusalOfChange = (request, origins) =>
  exports.refusalOfOrigin(request, origins) ??
  (isOfForm(request) ? failure(wrongMediaType) : undefined)

function isFromOwnPage(request, origins) {
  const origin = request.headers.get('origin')
  // `null` is the origin of pages that must not act for the user, such as one in a sandbox.
  if (!isOrigin(origin)) return false
  if (origins.includes(origin)) return true
  // A browser that says so knows the scheme, too, which a proxy in front of the app may hide from it.
  const site = request.headers.get('sec-fetch-site')
  if (site !== null && site !== 'same-origin') return false
  const { protocol, host } = new URL(origin)
  return hostsOf(request).some((own) => normalHost(protocol, own) === host)
}

/** The hosts under which the app was asked. What a proxy says counts where proxies are declared: anyone can send it. */
function hostsOf(request) {
  const { headers, url } = request
  const host = headers.get('host') ?? new URL(url).host
  const forwarded = headers.get('x-forwarded-host')
  if (forwarded === null || !clientAddress(view, request).hasProxies) return [host]
  return [host, forwarded]
}

/** The host as in an origin: in lower case, and without the port that goes without saying. */
function normalHost(protocol, host) {
  const url = `${protocol}//${host}`
  return HOST.test(host) && URL.canParse(url) ? new URL(url).host : undefined
}

const isOfForm = ({ headers }) => {
  const [type] = (headers.get('content-type') ?? '').split(';')
  return FORM.test(type.trim())
}

const wrongOrigin = {
  status: 403,
  code: 'WRONG_ORIGIN',
  message: 'Changes are accepted from pages of this site only',
}

const wrongMediaType = {
  status: 415,
  code: 'UNSUPPORTED_MEDIA_TYPE',
  message: 'Request body must be sent as application/json',
}
