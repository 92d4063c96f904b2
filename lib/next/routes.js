'use strict'

// `/api/keys`. The addon checks the values of the fields, and names every wrong one at once.

const { createApiKey, deleteApiKey, patchApiKey, updateApiKey } = require('../../index.js')
const { withAdminAuth } = require('./admin.js')
const { readObject } = require('./body.js')
const { linkToNext, listKeys, readLimit } = require('./list.js')
const { checkOptions } = require('./options.js')
const { invalidInput, json, jsonStream } = require('./responses.js')

/**
 * Which fields of a body each method passes on; the others are ignored. POST takes those that may be set. PUT and PATCH leave
 * out those that GET shows and nobody may set, so that a key can be sent back as it was read; PATCH may clear the clearable ones.
 */
function acceptedFields() {
  // Loaded here, since an app that only guards its own routes does not need it.
  const { clearable, readOnly, settable } = require('../key-fields.js')
  const except = (names) => (name) => !names.includes(name)
  return {
    forPost: (name) => settable.includes(name),
    forPut: except([...readOnly, ...clearable]),
    forPatch: except(readOnly),
  }
}

/** The handlers of `/api/keys`. */
exports.apiKeyRoutes = (options = {}) => {
  const { authorize } = checkOptions('apiKeyRoutes', options, ['authorize'])
  const { forPost, forPut, forPatch } = acceptedFields()
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
  const { limit, ...filters } = Object.fromEntries(new URL(request.url).searchParams)
  const wanted = readLimit(limit)
  if (wanted.problem) return invalidInput(wanted.problem, 'limit')
  const { body, nextCursor } = await listKeys(filters, wanted.limit)
  return jsonStream(body, nextCursor ? { Link: linkToNext(request, nextCursor) } : {})
}

function createFrom(accepts) {
  return async (request, { admin }) => {
    const { value, refusal } = await readObject(request)
    return refusal ?? json(await createApiKey(pick(value, accepts), by(admin)), 201)
  }
}

function changeBy(change, accepts) {
  return async (request, { admin }) => {
    const { value, refusal } = await readObject(request)
    if (refusal) return refusal
    if (!value.id) return missingId()
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
const by = ({ tokenId, name }) => ({ actor: tokenId ?? name })

const missingId = () => invalidInput('API key ID is required', 'id')
