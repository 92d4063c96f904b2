'use strict'

const { number } = require('./values.js')

/** The most rows that one call of a function that lists returns. */
const PAGE_LIMIT = 1_000

/** The options of a command that lists `rows` such as keys. */
const pageOptions = (rows) => ({
  limit: { ...number, help: `The maximum number of ${rows}; 50 by default` },
  cursor: { value: '<text>', help: 'Continue where an earlier list ended' },
})

const allOption = (rows) => ({
  all: { type: 'boolean', help: `List all ${rows}, however many there are` },
})

/** Reads pages until there are as many rows as the options ask for: `{ [rows]: …, nextCursor }`. */
async function readPages(list, rows, query, { limit = 50, cursor = null, all }) {
  const wanted = all ? Infinity : limit
  const read = []
  let next = cursor
  do {
    const page = await list({
      ...query,
      cursor: next,
      // The number that is still missing. The addon refuses 0 and other bad values.
      limit: Math.min(PAGE_LIMIT, wanted - read.length),
    })
    read.push(...page[rows])
    next = page.nextCursor
  } while (next && read.length < wanted)
  return { [rows]: read, nextCursor: next }
}

module.exports = { allOption, pageOptions, readPages }
