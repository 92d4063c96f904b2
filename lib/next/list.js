'use strict'

const { listApiKeys } = require('../../index.js')

const MAX_LIMIT = 10_000
const PAGE_LIMIT = 1_000

/** The number of keys that the request asks for: `{ limit }`, or `{ problem }` with the message for the client. */
exports.readLimit = (text = String(MAX_LIMIT)) => {
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= MAX_LIMIT) return { limit }
  return { problem: `limit must be a whole number from 1 to ${MAX_LIMIT}` }
}

/** Lists up to 10,000 keys. The addon returns 1,000 of them at a time. */
exports.listKeys = async (query, wanted) => {
  const keys = []
  const isActive = readBoolean(query.isActive)
  let cursor = query.cursor ?? null
  do {
    const limit = Math.min(wanted - keys.length, PAGE_LIMIT)
    // Unknown filters and wrong values are passed on: the addon refuses them.
    const page = await listApiKeys({ ...query, isActive, cursor, limit })
    keys.push(...page.keys)
    cursor = page.nextCursor
  } while (cursor && keys.length < wanted)
  return { keys, nextCursor: cursor }
}

/** The `Link` to the next page: the same query with another cursor. It is relative, since a proxy may hide our own host. */
exports.linkToNext = (request, cursor) => {
  const { pathname, searchParams } = new URL(request.url)
  searchParams.set('cursor', cursor)
  // A path that begins with two slashes would name another host.
  const path = pathname.replace(/^\/+/, '/')
  return `<${path}?${searchParams}>; rel="next"`
}

function readBoolean(text) {
  return text === 'true' || text === 'false' ? text === 'true' : text
}
