'use strict'

const { checkOptions } = require('../guard/options.js')
const { holds } = require('../next/admin.js')
const { failure, routeHandler, withHeaders } = require('../next/responses.js')
const { dataRoutes } = require('./data.js')
const { asset, page } = require('./files.js')
const { SECURITY } = require('./headers.js')
const { forgery } = require('./origin.js')
const { placeOf } = require('./place.js')
const { adminOf, show, signIn, signOut } = require('./session.js')

/** The handlers of the console, for one catch-all route. */
exports.consoleRoutes = (options = {}) => {
  const checked = checkOptions('consoleRoutes', options, ['authorize', 'origins'])
  const { authorize, origins = [] } = checked
  const answer = routeHandler(answering({ authorize, origins: [...origins] }))
  const handle = async (request, context) => withHeaders(await answer(request, context), SECURITY)
  return { GET: handle, POST: handle, PUT: handle, PATCH: handle, DELETE: handle }
}

function answering(options) {
  const session = {
    GET: (request) => show(request, options),
    POST: signIn,
    DELETE: signOut,
  }
  const data = ownData(options)
  return async (request, context) => {
    const refusal = forgery(request, options.origins)
    if (refusal) return refusal
    const { segments, base } = await placeOf(request, context)
    const [first, ...others] = segments
    if (first === 'api' && others.join('/') === 'session') return by(session, request)
    if (first === 'api') return data(request, others)
    const files = {
      GET: () => (first === 'assets' ? asset(request, others.join('/')) : page(base)),
    }
    return by(files, request)
  }
}

/** Answers the requests of those who are signed in. The admin is found first, so that no header decides who it is. */
function ownData({ authorize }) {
  const admins = new WeakMap()
  const routeOf = dataRoutes((request) => admins.get(request))
  return async (request, path) => {
    const route = routeOf(path)
    if (!route) return failure({ status: 404, code: 'NOT_FOUND', message: 'Not found' })
    const { admin, refusal } = await adminOf(request, authorize)
    if (refusal) return refusal
    const inner = withoutToken(request)
    admins.set(inner, admin)
    const isAllowed = async (permission) => {
      const { admin } = await adminOf(request, authorize)
      return Boolean(admin) && holds(admin, permission)
    }
    return by(route, inner, { id: path.at(-1), isAllowed })
  }
}

function by(handlers, request, context) {
  const method = request.method === 'HEAD' ? 'GET' : request.method
  if (Object.hasOwn(handlers, method)) return handlers[method](request, context)
  const Allow = Object.keys(handlers).join(', ')
  const refused = { status: 405, code: 'METHOD_NOT_ALLOWED', message: 'Method not allowed' }
  return failure(refused, { Allow })
}

/** What the routes read of a request. The header of an admin token is left out: only the session counts. */
function withoutToken(request) {
  const headers = new Headers(request.headers)
  headers.delete('x-admin-token')
  return { method: request.method, url: request.url, headers, body: request.body }
}
