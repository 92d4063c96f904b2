'use strict'

const { setImmediate } = require('node:timers/promises')
const { listApiKeys } = require('../../index.js')
const native = require('../addon.js')
const { guarded, unwrap } = require('../errors.js')

const MAX_LIMIT = 10_000
/** Keys that are in memory at a time. */
const PAGE_LIMIT = 250
/** Characters that are sent at a time. */
const PART = 64 * 1024

/** The number of keys that the request asks for: `{ limit }`, or `{ problem }` with the message for the client. */
exports.readLimit = (text = String(MAX_LIMIT)) => {
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= MAX_LIMIT) return { limit }
  return { problem: `limit must be a whole number from 1 to ${MAX_LIMIT}` }
}

/**
 * Up to 10,000 keys as a JSON array: `{ body, nextCursor }`. The addon returns some of them at a time, and they are sent before the
 * next ones are read. The `Link` header comes before the body, so the end of the keys is looked up first.
 */
exports.listKeys = async (filters, wanted) => {
  const isActive = readBoolean(filters.isActive)
  const cursor = filters.cursor ?? null
  // Unknown filters and wrong values are passed on: the addon refuses them.
  const query = { ...filters, isActive, cursor, limit: PAGE_LIMIT }
  const end = await keysEnd(query, wanted)
  const texts = arrayOf(keysUntil(end, query, wanted))
  // A fault of the first page still becomes a response of its own.
  const first = await texts.next()
  return { body: streamOf(first, texts), nextCursor: end?.cursor }
}

const keysEnd = async (query, wanted) => unwrap(await guarded(native.keysEnd, query, wanted))

/** The keys, page by page. If some are deleted meanwhile, no others take their place: the next page begins after the end. */
async function* keysUntil(end, query, wanted) {
  let { cursor } = query
  let left = wanted
  do {
    const limit = Math.min(left, PAGE_LIMIT)
    const { keys, nextCursor } = await listApiKeys({ ...query, cursor, limit })
    const last = end ? keys.findIndex((key) => isEnd(key, end)) : -1
    yield last < 0 ? keys : keys.slice(0, keys[last].id === end.id ? last + 1 : last)
    if (last >= 0) return
    left -= keys.length
    cursor = nextCursor
  } while (cursor && left > 0)
}

const isEnd = ({ id, createdAt }, end) => id === end.id || createdAt.getTime() < end.at

/** The texts of a JSON array of all entries, in parts. */
async function* arrayOf(pages) {
  let text = '['
  let separator = ''
  for await (const page of pages) {
    for (const entry of page) {
      text += separator + JSON.stringify(entry)
      separator = ','
      if (text.length < PART) continue
      yield text
      text = ''
      await setImmediate()
    }
  }
  yield `${text}]`
}

function streamOf(first, texts) {
  const encoder = new TextEncoder()
  let next = first
  return new ReadableStream(
    {
      async pull(controller) {
        const { value, done } = next ?? (await texts.next())
        next = undefined
        if (done) controller.close()
        else controller.enqueue(encoder.encode(value))
      },
      cancel: () => texts.return(),
    },
    { highWaterMark: 0 },
  )
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
