'use strict'

// `/api/keys`. The addon checks the values of the fields, and names every wrong one at once.

const { createApiKey, deleteApiKey, patchApiKey, updateApiKey } = require('../../index.js')
const { linkToNext, listKeys, readLimit } = require('./list.js')
const { checkOptions } = require('../guard/options.js')
const {
  by,
  except,
  guardedBy,
  has,
  idempotencyKeyOf,
  pick,
  queryOf,
  withScopedBody,
} = require('./requests.js')
const { invalidInput, json, jsonStream, missingId } = require('./responses.js')

/**
 * Which fields of a body each method passes on; the others are ignored. All leave out those that GET shows and that cannot be
 * set, so that a key can be sent back as it was read; PATCH may clear the clearable ones. The addon refuses unknown fields. The
 * app that used Prisma ignored them in POST.
 */
function acceptedFields(compat) {
  // Loaded here, since an app that only guards its own routes does not need it.
  const { clearable, identity, initial, readOnly, settable } = require('../key-fields.js')
  return {
    forPost:
      compat === 'prisma'
        ? (name) => settable.includes(name) || initial.includes(name)
        : except([...identity, ...readOnly, ...clearable]),
    forPut: except([...initial, ...readOnly, ...clearable]),
    forPatch: except([...initial, ...readOnly]),
  }
}

/** The handlers of `/api/keys`. */
exports.apiKeyRoutes = (options = {}) => {
  const { authorize, compat } = checkOptions('apiKeyRoutes', options, ['authorize', 'compat'])
  const { forPost, forPut, forPatch } = acceptedFields(compat)
  const guarded = guardedBy(authorize)
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

function createFrom(accepts) {
  return withScopedBody(async (body, request, { admin }) => {
    const input = { ...pick(body, accepts), ...idempotencyKeyOf(request) }
    return json(await createApiKey(input, by(admin)), 201)
  })
}

function changeBy(change, accepts) {
  return withScopedBody(async (body, _request, { admin }) => {
    if (!has(body, 'id')) return missingId()
    return json(await change(pick(body, accepts), by(admin)))
  })
}

async function remove(request, { admin }) {
  const id = new URL(request.url).searchParams.get('id')
  if (!id) return missingId()
  await deleteApiKey(id, by(admin))
  return json({ success: true })
}
