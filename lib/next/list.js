'use strict'

const { listApiKeys } = require('../../index.js')

const MAX_LIMIT = 10_000
const PAGE_LIMIT = 1_000

exports.readLimit = (text = String(MAX_LIMIT)) => {
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= MAX_LIMIT) return { limit }
  return { problem: `limit must be a whole number from 1 to ${MAX_LIMIT}` }
}

/** Up to 10,000 keys, of which the addon answers 1,000 at a time. */
exports.listKeys = async ({ isActive, ...filters }, wanted) => {
  const keys = []
  let cursor = filters.cursor ?? null
  do {
    const limit = Math.min(wanted - keys.length, PAGE_LIMIT)
    // What is wrong or unknown goes on as it is, for the addon to refuse.
    const page = await listApiKeys({ ...filters, isActive: readBoolean(isActive), cursor, limit })
    keys.push(...page.keys)
    cursor = page.nextCursor
  } while (cursor && keys.length < wanted)
  return { keys, nextCursor: cursor }
}

/** The same query from another cursor on; relative, since behind a proxy our own host is not known. */
exports.linkToNext = (request, cursor) => {
  const { pathname, searchParams } = new URL(request.url)
  searchParams.set('cursor', cursor)
  // Two slashes would begin another host.
  const path = pathname.replace(/^\/+/, '/')
  return `<${path}?${searchParams}>; rel="next"`
}

function readBoolean(text) {
  return text === 'true' || text === 'false' ? text === 'true' : text
}
