'use strict'

// `/api/keys`. The addon checks the values of the fields, and names every wrong one at once.

const { createApiKey, deleteApiKey, patchApiKey, updateApiKey } = require('../../index.js')
const { withAdminAuth } = require('./admin.js')
const { readObject } = require('./body.js')
const { linkToNext, listKeys, readLimit } = require('./list.js')
const { checkOptions } = require('./options.js')
const { invalidInput, json, jsonStream } = require('./responses.js')

/**
 * Which fields of a body each method passes on; the others are ignored. All leave out those that GET shows and that cannot be
 * set, so that a key can be sent back as it was read; PATCH may clear the clearable ones. The addon refuses unknown fields. The
 * app that used Prisma ignored them in POST.
 */
function acceptedFields(compat) {
  // Loaded here, since an app that only guards its own routes does not need it.
  const { clearable, identity, readOnly, settable } = require('../key-fields.js')
  const except = (names) => (name) => !names.includes(name)
  return {
    forPost:
      compat === 'prisma'
        ? (name) => settable.includes(name)
        : except([...identity, ...readOnly, ...clearable]),
    forPut: except([...readOnly, ...clearable]),
    forPatch: except(readOnly),
  }
}

/** The handlers of `/api/keys`. */
exports.apiKeyRoutes = (options = {}) => {
  const { authorize, compat } = checkOptions('apiKeyRoutes', options, ['authorize', 'compat'])
  const { forPost, forPut, forPatch } = acceptedFields(compat)
  const guarded = (permission, handler) =>
    withAdminAuth(handler, authorize ? { permission, authorize } : { permission })
  return {
    GET: guarded('keys:read', list),
    POST: guarded('keys:write', createFrom(forPost)),
    PUT: guarded('keys:write', changeBy(updateApiKey, forPut)),
    PATCH: guarded('keys:write', changeBy(patchApiKey, forPatch)),
    DELETE: guarded('keys:write', remove),
  }
}

/** The body is an array, so the `Link` header announces the next page. */
async function list(request) {
  const query = queryOf(request)
  const wanted = readLimit(query.limit)
  if (wanted.problem) return invalidInput(wanted.problem, 'limit')
  const { body, nextCursor } = await listKeys(query, wanted.limit)
  return jsonStream(body, nextCursor ? { Link: linkToNext(request, nextCursor) } : {})
}

/** Without a prototype: an absent parameter must not be found in a polluted one. */
function queryOf(request) {
  const parameters = Object.fromEntries(new URL(request.url).searchParams)
  return Object.assign(Object.create(null), parameters)
}

function createFrom(accepts) {
  return async (request, { admin }) => {
    const { value, refusal } = await readObject(request)
    if (refusal) return refusal
    const idempotencyKey = idempotencyKeyOf(request)
    const header = idempotencyKey === null ? {} : { idempotencyKey }
    return json(await createApiKey({ ...pick(value, accepts), ...header }, by(admin)), 201)
  }
}

/** The header `Idempotency-Key`: a quoted string by the IETF draft, and plain text by most clients. */
function idempotencyKeyOf({ headers }) {
  const sent = headers.get('idempotency-key')
  return sent?.match(/^"(.+)"$/)?.[1] ?? sent
}

function changeBy(change, accepts) {
  return async (request, { admin }) => {
    const { value, refusal } = await readObject(request)
    if (refusal) return refusal
    if (!Object.hasOwn(value, 'id') || !value.id) return missingId()
    return json(await change(pick(value, accepts), by(admin)))
  }
}

async function remove(request, { admin }) {
  const id = new URL(request.url).searchParams.get('id')
  if (!id) return missingId()
  await deleteApiKey(id, by(admin))
  return json({ success: true })
}

function pick(body, accepts) {
  return Object.fromEntries(Object.entries(body).filter(([name]) => accepts(name)))
}

/** The actor in the audit log: the id of the token, or the name of the user. */
const by = (admin) => ({ actor: Object.hasOwn(admin, 'tokenId') ? admin.tokenId : admin.name })

const missingId = () => invalidInput('API key ID is required', 'id')
