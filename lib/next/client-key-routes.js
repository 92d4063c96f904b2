'use strict'

// `/api/account/keys`: clients manage their own keys. The session of the app says who asks; nothing in a request does.

const { getApiKey, getClient, getQuota, listApiKeys, listRoles } = require('../../index.js')
const { insufficientPermission, invalidInput: INVALID_INPUT } = require('../constants.js')
const { checkOptions } = require('../guard/options.js')
const ownKeys = require('../own-keys.js')
const { MAX_BYTES_WITH_SCOPES, readBytes, parsed } = require('./body.js')
const { ownerOf } = require('./key-owner.js')
const { linkToNext } = require('./list.js')
const { refusalOfChange } = require('./origin.js')
const { idempotencyKeyOf, listIn, numberIn, queryOf } = require('./requests.js')
const { failure, invalidInput, json, routeHandler, unauthorized } = require('./responses.js')

const CHALLENGE = 'Session realm="API keys"'

/** What its owner gets to see of a key, in this order. */
const SHOWN = [
  ...['id', 'name', 'clientId', 'description', 'status', 'kind', 'environment', 'start'],
  ...['scopes', 'allowedIps', 'rateLimit', 'rateLimitWindowSeconds'],
  ...['usageCount', 'lastUsedAt', 'createdAt', 'updatedAt', 'expiresAt', 'suspendedUntil'],
  ...['previousKeyExpiresAt', 'revokedAt', 'revokedReason', 'key'],
]
/** What a client may say of a new key. */
const CREATED = [
  ...['name', 'description', 'scopes', 'expiresAt', 'allowedIps'],
  ...['rateLimit', 'rateLimitWindowSeconds'],
]
/** What stands in place of an id: it is about all keys of the client. */
const OF_CLIENT = ['limits', 'usage']
const RANGE = ['from', 'to', 'bucket', 'groupBy', 'timeZone']

/** What may be done at which path below the mount, by whom, with which parameters or fields of a body. */
const routes = {
  __proto__: null,
  '': {
    GET: { permission: 'list', takes: ['status', 'search', 'limit', 'cursor'], respond: list },
    POST: { permission: 'create', takes: CREATED, makesKey: true, respond: create },
  },
  limits: { GET: { permission: 'usage', takes: [], respond: limitsOfClient } },
  usage: { GET: { permission: 'usage', takes: RANGE, respond: usage } },
  '{id}': {
    GET: { permission: 'list', takes: [], respond: async ({ key }) => json(shown(key)) },
    PATCH: { permission: 'rename', takes: ['name', 'description'], respond: rename },
    DELETE: { permission: 'revoke', takes: [], respond: revoke },
  },
  '{id}/limits': { GET: { permission: 'usage', takes: [], respond: limitsOfKey } },
  '{id}/usage': { GET: { permission: 'usage', takes: RANGE, respond: usage } },
  '{id}/rotate': {
    POST: { permission: 'rotate', takes: ['gracePeriodSeconds'], makesKey: true, respond: rotate },
  },
  '{id}/revoke': { POST: { permission: 'revoke', takes: ['reason'], respond: revoke } },
}

/** The handlers of `/api/account/keys`, and of all paths below it. */
exports.clientKeyRoutes = (options) => {
  const { owner, origins = [] } = checkOptions('clientKeyRoutes', options, ['owner', 'origins'])
  if (owner === undefined) throw new TypeError("clientKeyRoutes: 'owner' is required")
  const settings = { owner, origins: [...origins] }
  const handler = (method) =>
    routeHandler((request, context) => respond(method, request, context, settings))
  return {
    GET: handler('GET'),
    POST: handler('POST'),
    PATCH: handler('PATCH'),
    DELETE: handler('DELETE'),
  }
}

async function respond(method, request, context, { owner, origins }) {
  const caller = await ownerOf(owner, request)
  if (!caller) return unauthorized(CHALLENGE, notSignedIn)
  const refusal = method === 'GET' ? undefined : refusalOfChange(request, origins)
  if (refusal) return refusal
  const { id, shape } = placeOf(await pathOf(request, context))
  const methods = routes[shape]
  if (!methods) return failure(notFound)
  if (!Object.hasOwn(methods, method))
    return failure(wrongMethod, { Allow: Object.keys(methods).join(', ') })
  const route = methods[method]
  if (!caller.permissions.includes(route.permission)) return failure(insufficientPermission)
  if (route.makesKey && bearsKey(request)) return failure(madeByKey)
  const key = id === undefined ? undefined : await ownKey(caller, id)
  if (key === null) return failure(notFound)
  const input = await inputOf(method, request, route.takes)
  return input.refusal ?? route.respond({ ...caller, key, request, input: input.value })
}

/** The segments behind the mount: what a catch-all of Next.js has caught, or what follows `keys` in the path. */
async function pathOf({ url }, context) {
  const caught = Object.values((await context?.params) ?? {}).find(Array.isArray)
  if (caught) return caught
  const segments = new URL(url).pathname.split('/').filter((segment) => segment !== '')
  const mount = segments.lastIndexOf('keys')
  return mount < 0 ? [] : segments.slice(mount + 1)
}

function placeOf(path) {
  const [id, ...rest] = path
  if (id === undefined || (rest.length === 0 && OF_CLIENT.includes(id))) return { shape: id ?? '' }
  return { id, shape: ['{id}', ...rest].join('/') }
}

/** Whether a request presents a key, whatever it is worth: a key that makes keys could outlive its revocation. */
function bearsKey({ headers }) {
  return headers.has('x-api-key') || /^\s*bearer\b/i.test(headers.get('authorization') ?? '')
}

/** The key with this id; `null` if there is none, or if it is somebody else's. */
async function ownKey({ own: { clientId } }, id) {
  try {
    const key = await getApiKey(id)
    return key?.clientId === clientId ? key : null
  } catch (error) {
    // A text that cannot be an id.
    if (error.code === INVALID_INPUT.code) return null
    throw error
  }
}

/** The parameters of a request that reads, or the fields of the body of one that changes: `{ value }` or `{ refusal }`. */
async function inputOf(method, request, takes) {
  const query = queryOf(request)
  if (method === 'GET') return known(query, takes, 'parameters')
  const { refusal } = known(query, [], 'parameters')
  if (refusal) return { refusal }
  const { bytes, refusal: tooLarge } = await readBytes(request, MAX_BYTES_WITH_SCOPES)
  if (tooLarge) return { refusal: tooLarge }
  const body = bytes.length === 0 && !takes.includes('name') ? {} : parsed(bytes)
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return { refusal: invalidInput('Request body must be a JSON object') }
  return known(body, takes, 'fields')
}

/** The names of what is unknown are not repeated: one may be a key that was sent in its place. */
function known(value, takes, what) {
  if (Object.keys(value).every((name) => takes.includes(name))) return { value }
  const all = takes.length === 0 ? 'none' : takes.join(', ')
  return { refusal: invalidInput(`Unknown ${what}: this route takes ${all}`) }
}

/** The body is an array, so the `Link` header announces the next page. */
async function list({ own: { clientId }, request, input: { limit, ...query } }) {
  const page = await listApiKeys({ ...query, limit: numberIn(limit), clientId })
  const { keys, nextCursor } = page
  return json(keys.map(shown), 200, nextCursor ? { Link: linkToNext(request, nextCursor) } : {})
}

async function create({ own: owner, by, request, input }) {
  const { clientId } = owner
  const fields = { ...input, ...idempotencyKeyOf(request), clientId }
  return json(shown(await ownKeys.createOwnKey(fields, by, owner)), 201)
}

async function rename({ own: owner, by, key: { id }, input }) {
  return json(shown(await ownKeys.patchOwnKey({ ...input, id }, by, owner)))
}

/** Nobody gets a key by rotating it that may do more than one that they could make. */
async function rotate({ own: owner, by, key, input }) {
  const beyond = ownKeys.scopesBeyond(owner, [...key.scopes, ...(await scopesOfRoles(key))])
  if (beyond.length > 0) return failure({ ...ungrantable, missingScopes: [...new Set(beyond)] })
  const change = { ...input, id: key.id, regenerateKey: true }
  return json(shown(await ownKeys.updateOwnKey(change, by, owner)))
}

async function scopesOfRoles({ roles }) {
  if (roles.length === 0) return []
  const named = (await listRoles()).filter(({ name }) => roles.includes(name))
  return named.flatMap(({ scopes }) => scopes)
}

async function revoke({ own: owner, by, key: { id }, input }) {
  return json(shown(await ownKeys.revokeOwnKey({ ...input, id }, by, owner)))
}

/** The usage of a key, or of all keys of the client. */
async function usage({ own: owner, key, request, input }) {
  const query = { ...input, groupBy: listIn(request, 'groupBy') }
  return json(await ownKeys.getOwnUsage(key ? { ...query, keyId: key.id } : query, owner))
}

async function limitsOfKey({ key }) {
  const { id, rateLimit, rateLimitWindowSeconds, limits, quotas } = key
  const states = await statesOf(quotas, { keyId: id })
  return json({ rateLimit, rateLimitWindowSeconds, limits, quotas: states })
}

/** What holds for all keys of the client together, and how many it may have. */
async function limitsOfClient({ own: { clientId, maxKeys, maxTtlDays, maxRateLimit } }) {
  const client = await getClient(clientId)
  const most = [client?.maxKeys, maxKeys].filter((count) => typeof count === 'number')
  return json({
    maxKeys: most.length === 0 ? null : Math.min(...most),
    maxTtlDays: maxTtlDays ?? null,
    maxRateLimit: maxRateLimit ?? null,
    limits: client?.limits ?? [],
    quotas: await statesOf(client?.quotas ?? [], { clientId }),
  })
}

/** What is left of the quotas. One that was taken away meanwhile is left out. */
async function statesOf(quotas, of) {
  const states = quotas.map(({ name }) =>
    getQuota({ ...of, name }).catch((error) => {
      if (error.code === 'NOT_FOUND') return null
      throw error
    }),
  )
  return (await Promise.all(states)).filter((state) => state !== null)
}

/** A key as its owner sees it. */
const shown = (key) =>
  Object.fromEntries(
    SHOWN.filter((name) => Object.hasOwn(key, name)).map((name) => [name, key[name]]),
  )

const notSignedIn = { status: 401, code: 'NOT_SIGNED_IN', message: 'Sign in to manage API keys' }

const notFound = { status: 404, code: 'NOT_FOUND', message: 'API key not found' }

const wrongMethod = {
  status: 405,
  code: 'METHOD_NOT_ALLOWED',
  message: 'This method is not for this path',
}

const madeByKey = {
  status: 403,
  code: 'KEY_NOT_ALLOWED',
  message: 'A request with an API key must not make keys: sign in, and send no key',
}

const ungrantable = {
  status: 403,
  code: 'INSUFFICIENT_PERMISSION',
  message: 'The key has scopes that the caller may not grant',
}
