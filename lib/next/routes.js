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
 * What each method reads of a request: the fields that it passes on, and the names that it ignores. All bodies leave out the fields
 * that GET shows and that cannot be set, so that a key can be sent back as it was read; PATCH may clear the clearable ones. The
 * addon refuses unknown fields.
 */
function reader(compat) {
  // Loaded here, since an app that only guards its own routes does not need it.
  const { clearable, identity, initial, readOnly } = require('../key-fields.js')
  const forPost = except([...identity, ...readOnly, ...clearable])
  const forPut = except([...initial, ...readOnly, ...clearable])
  const forPatch = except([...initial, ...readOnly])
  if (compat === 'prisma') {
    const { changed, ignoredHeader, posted, queried } = require('./prisma-compat.js')
    return {
      queried,
      posted,
      put: (body) => changed(body, forPut),
      patched: (body) => changed(body, forPatch),
      headersOf: ({ ignored }) => ignoredHeader(ignored),
    }
  }
  const picked = (accepts) => (body) => ({ fields: pick(body, accepts) })
  return {
    queried: (fields) => ({ fields }),
    posted: picked(forPost),
    put: picked(forPut),
    patched: picked(forPatch),
    headersOf: () => ({}),
  }
}

/** The handlers of `/api/keys`. */
exports.apiKeyRoutes = (options = {}) => {
  const { authorize, compat } = checkOptions('apiKeyRoutes', options, ['authorize', 'compat'])
  const { queried, posted, put, patched, headersOf } = reader(compat)
  const guarded = guardedBy(authorize)
  return {
    GET: guarded('keys:read', list(queried, headersOf)),
    POST: guarded('keys:write', create(posted, headersOf)),
    PUT: guarded('keys:write', changeBy(updateApiKey, put, headersOf)),
    PATCH: guarded('keys:write', changeBy(patchApiKey, patched, headersOf)),
    DELETE: guarded('keys:write', remove),
  }
}

/** The body is an array, so the `Link` header announces the next page. */
function list(read, headersOf) {
  return async (request) => {
    const sent = read(queryOf(request))
    const { limit, ...query } = sent.fields
    const wanted = readLimit(limit)
    if (wanted.problem) return invalidInput(wanted.problem, 'limit')
    const { body, nextCursor } = await listKeys(query, wanted.limit)
    const next = nextCursor ? { Link: linkToNext(request, nextCursor) } : {}
    return jsonStream(body, { ...next, ...headersOf(sent) })
  }
}

function create(read, headersOf) {
  return withScopedBody(async (body, request, { admin }) => {
    const sent = read(body)
    const input = { ...sent.fields, ...idempotencyKeyOf(request) }
    return json(await createApiKey(input, by(admin)), 201, headersOf(sent))
  })
}

function changeBy(change, read, headersOf) {
  return withScopedBody(async (body, _request, { admin }) => {
    if (!has(body, 'id')) return missingId()
    const sent = read(body)
    return json(await change(sent.fields, by(admin)), 200, headersOf(sent))
  })
}

async function remove(request, { admin }) {
  const id = new URL(request.url).searchParams.get('id')
  if (!id) return missingId()
  await deleteApiKey(id, by(admin))
  return json({ success: true })
}
