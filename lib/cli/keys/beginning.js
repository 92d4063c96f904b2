'use strict'

const { UsageError } = require('../errors.js')
const { notFound } = require('../not-found.js')

/** The most keys that one call of `listApiKeys` returns. */
const PAGE_LIMIT = 1_000
/** A shorter beginning would meet a key by chance. */
const SHORTEST = 4
/** The length of an id: a text of this length is no beginning of one. */
const ID_LENGTH = 36

/** The keys of which one of the texts begins with this one, newest first, at most this many. */
async function beginningWith(addon, beginning, textsOf, most) {
  if (beginning.length < SHORTEST)
    throw new UsageError(`The beginning must have at least ${SHORTEST} characters`)
  const found = []
  let cursor = null
  do {
    const page = await addon.listApiKeys({ cursor, limit: PAGE_LIMIT })
    found.push(
      ...page.keys.filter((key) => textsOf(key).some((text) => text?.startsWith(beginning))),
    )
    cursor = page.nextCursor
  } while (cursor && found.length < most)
  return found.slice(0, most)
}

/** The key with this id, or the only one whose id begins so. */
async function keyOf(addon, id) {
  const exact = await addon.getApiKey(id)
  if (exact) return exact
  if (id.length < SHORTEST || id.length >= ID_LENGTH) throw notFound('API key')
  return onlyOne(await beginningWith(addon, id, (key) => [key.id], 2), 'API key')
}

/** The only one of the rows that were found for the beginning of an id. */
function onlyOne([found, another], what) {
  if (!found) throw notFound(what)
  if (another) throw new UsageError(`More than one id begins so: ${found.id}, ${another.id}`)
  return found
}

module.exports = { SHORTEST, beginningWith, keyOf, onlyOne }
