'use strict'

// What a guard of publishable keys tells browsers (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol): they ask before a page of
// another origin sends a key, and hide the answer from it unless they are told its origin. Which origins a key is for, the verify
// decides; it is never told to send credentials of the user along.

const { besideVary } = require('./answers.js')

const ALLOWED_HEADERS = ['x-api-key', 'authorization', 'content-type']
/** How long a browser may keep the answer to what it asked, in seconds. */
const MAX_AGE = '600'
/** A method or the name of a header (RFC 9110, 5.6.2). */
const TOKEN = /^[\w!#$%&'*+.^`|~-]{1,64}$/
/** What a browser asks with. */
const ASKED = ['Access-Control-Request-Method', 'Access-Control-Request-Headers']
/** Who may read an answer. */
const ALLOW_ORIGIN = 'Access-Control-Allow-Origin'
/** Of the headers that a page may want to send. */
const HEADERS_MAX = 50

/** Whether a browser asks for permission. It sends no key with that. */
exports.isPreflight = (view, request) =>
  view.method(request) === 'OPTIONS' &&
  isThere(view.header(request, 'origin')) &&
  isThere(view.header(request, 'access-control-request-method'))

/** Permits what is asked for: the request itself is judged when it comes, by its key. */
exports.preflight = (view, request) => {
  const method = view.header(request, 'access-control-request-method')
  const headers = {
    'Access-Control-Allow-Headers': allowedHeaders(view, request).join(', '),
    'Access-Control-Max-Age': MAX_AGE,
    Vary: ASKED.join(', '),
  }
  if (TOKEN.test(method)) headers['Access-Control-Allow-Methods'] = method
  const answer = { status: 204, headers, body: null, failure: null }
  return exports.readableBy(view.header(request, 'origin'), answer)
}

/**
 * The answer, which a page of this origin may read. It varies by the origin even where there is none: a cache must not give to a page
 * what it kept from elsewhere. An app that says itself who may read its response is left to it.
 */
exports.readableBy = (origin, { headers, ...answer }) => {
  const { vary, ...others } = headers
  const varying = besideVary({ Vary: 'Origin' }, others.Vary ?? vary)
  const isOpen = isThere(origin) && !Object.hasOwn(headers, ALLOW_ORIGIN.toLowerCase())
  const readers = isOpen ? { [ALLOW_ORIGIN]: origin } : {}
  return { ...answer, headers: { ...others, ...readers, ...varying } }
}

function allowedHeaders(view, request) {
  const asked = view.header(request, 'access-control-request-headers') ?? ''
  const names = asked.split(',').map((name) => name.trim().toLowerCase())
  const tokens = names.filter((name) => TOKEN.test(name)).slice(0, HEADERS_MAX)
  return [...new Set([...ALLOWED_HEADERS, ...tokens])]
}

const isThere = (header) => typeof header === 'string' && header !== ''
