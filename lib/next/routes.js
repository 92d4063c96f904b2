'use strict'

// `/api/keys`. What the fields of a request hold is for the addon to check, which names every bad one at once.

const { createApiKey, deleteApiKey, patchApiKey, updateApiKey } = require('../../index.js')
const { withAdminAuth } = require('./admin.js')
const { readObject } = require('./body.js')
const { linkToNext, listKeys, readLimit } = require('./list.js')
const { checkOptions } = require('./options.js')
const { invalidInput, json } = require('./responses.js')

/** POST takes these and ignores what else there is. */
const SETTABLE = [
  'name',
  'clientId',
  'description',
  'isActive',
  'expiresAt',
  'allowedIps',
  'rateLimit',
  'rateLimitWindowSeconds',
  'scopes',
  'metadata',
]

/** GET shows these and nobody may set them: they are ignored, so that a key can be sent back. */
const READ_ONLY = ['start', 'usageCount', 'createdAt', 'updatedAt', 'lastUsedAt']

/** Only PATCH may touch these, and only to clear them. */
const CLEARABLE = ['suspendedUntil', 'previousKeyExpiresAt']

const without = (fields) => (name) => !fields.includes(name)
const forPost = (name) => SETTABLE.includes(name)
const forPut = without([...READ_ONLY, ...CLEARABLE])
const forPatch = without(READ_ONLY)

/** The handlers of `/api/keys`. */
exports.apiKeyRoutes = (options = {}) => {
  const { authorize } = checkOptions('apiKeyRoutes', options, ['authorize'])
  const guarded = (permission, handler) =>
    withAdminAuth(handler, authorize ? { permission, authorize } : { permission })
  return {
    GET: guarded('keys:read', list),
    POST: guarded('keys:write', create),
    PUT: guarded('keys:write', changeBy(updateApiKey, forPut)),
    PATCH: guarded('keys:write', changeBy(patchApiKey, forPatch)),
    DELETE: guarded('keys:write', remove),
  }
}

/** The body stays an array, as it always was: a next page is announced in the `Link` header. */
async function list(request) {
  const { limit, ...filters } = Object.fromEntries(new URL(request.url).searchParams)
  const wanted = readLimit(limit)
  if (wanted.problem) return invalidInput(wanted.problem, 'limit')
  const { keys, nextCursor } = await listKeys(filters, wanted.limit)
  return json(keys, 200, nextCursor ? { Link: linkToNext(request, nextCursor) } : {})
}

async function create(request, { admin }) {
  const { value, refusal } = await readObject(request)
  return refusal ?? json(await createApiKey(fields(value, forPost), by(admin)), 201)
}

function changeBy(change, accepts) {
  return async (request, { admin }) => {
    const { value, refusal } = await readObject(request)
    if (refusal) return refusal
    if (!value.id) return missingId()
    return json(await change(fields(value, accepts), by(admin)))
  }
}

async function remove(request, { admin }) {
  const id = new URL(request.url).searchParams.get('id')
  if (!id) return missingId()
  await deleteApiKey(id, by(admin))
  return json({ success: true })
}

function fields(body, accepts) {
  return Object.fromEntries(Object.entries(body).filter(([name]) => accepts(name)))
}

/** Who it was, for the audit log: by the token where there is one. */
const by = ({ tokenId, name }) => ({ actor: tokenId ?? name })

const missingId = () => invalidInput('API key ID is required', 'id')
