'use strict'

const { setImmediate } = require('node:timers/promises')
const native = require('../addon.js')
const { withDates } = require('../dates.js')
const { guarded, unwrap } = require('../errors.js')
const { readList } = require('../lists.js')

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

/** The filters of a query as the addon takes them. Unknown ones and wrong values are passed on: the addon refuses them. */
exports.filtersOf = (filters) => {
  const isActive = readBoolean(filters.isActive)
  const metadata = readJson(filters.metadata)
  return { ...filters, isActive, metadata }
}

/**
 * Up to 10,000 keys as a JSON array: `{ body, nextCursor }`. The `Link` header comes before the body, so all ids are looked up first.
 * The addon then returns some of the keys at a time, and they are sent before the next ones are read.
 */
exports.listKeys = async (filters, wanted) => {
  const query = { ...exports.filtersOf(filters), limit: PAGE_LIMIT }
  const { ids, nextCursor } = unwrap(await guarded(native.findKeys, query, wanted))
  const texts = arrayOf(keysOf(ids))
  // A fault of the first page still becomes a response of its own.
  const first = await texts.next()
  return { body: streamOf(first, texts), nextCursor }
}

/** The keys with these ids, page by page. Those that are deleted meanwhile are left out. */
async function* keysOf(ids) {
  for (let at = 0; at < ids.length; at += PAGE_LIMIT)
    yield (await readList(await readKeys(ids.slice(at, at + PAGE_LIMIT)), withDates)).rows
}

const readKeys = (ids) => guarded(native.readKeys, ids)

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

exports.streamOf = streamOf

/** A stream of texts, of which the first is known already. */
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

function readJson(text) {
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return text
  }
}

function readBoolean(text) {
  return text === 'true' || text === 'false' ? text === 'true' : text
}
