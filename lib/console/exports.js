'use strict'

// `keys/export` and `audit/export`: all that a filter finds.

const { listApiKeys, listAuditEvents } = require('../../index.js')
const { fields } = require('../key-fields.js')
const { filtersOf } = require('../next/list.js')
const { queryOf } = require('../next/requests.js')
const { csv } = require('./csv.js')

const PAGE_LIMIT = 1_000

const KEY_COLUMNS = fields.map(({ name }) => name)
const EVENT_COLUMNS = [
  ...['at', 'id', 'type', 'count', 'actor', 'keyId', 'name', 'clientId', 'tokenId', 'role'],
  ...['webhookId', 'quota', 'reason', 'note', 'ip', 'claimedIp', 'path', 'changes'],
]

exports.exportKeys = async (request, { isAllowed }) => {
  const query = filtersOf(withoutPage(request))
  const pages = pagesOf(
    () => isAllowed('keys:read'),
    async (page) => {
      const { keys, nextCursor } = await listApiKeys({ ...query, ...page })
      return { rows: keys.map((key) => KEY_COLUMNS.map((name) => key[name])), nextCursor }
    },
  )
  return csv('api-keys', KEY_COLUMNS, pages)
}

exports.exportEvents = async (request, { isAllowed }) => {
  const query = withoutPage(request)
  const pages = pagesOf(
    () => isAllowed('audit:read'),
    async (page) => {
      const { events, nextCursor } = await listAuditEvents({ ...query, ...page })
      return { rows: events.map(rowOfEvent), nextCursor }
    },
  )
  return csv('audit-log', [...EVENT_COLUMNS, 'other'], pages)
}

function rowOfEvent(event) {
  const others = Object.entries(event).filter(([name]) => !EVENT_COLUMNS.includes(name))
  const other = others.length > 0 ? Object.fromEntries(others) : null
  return [...EVENT_COLUMNS.map((name) => event[name]), other]
}

/** All pages of a list. Who may not read any more gets no further page: a slow reader could outlive the session. */
async function* pagesOf(isAllowed, read) {
  let cursor
  do {
    if (cursor !== undefined && !(await isAllowed())) throw new Error('The session has ended')
    const { rows, nextCursor } = await read({ limit: PAGE_LIMIT, ...(cursor && { cursor }) })
    yield rows
    cursor = nextCursor ?? null
  } while (cursor !== null)
}

function withoutPage(request) {
  const { limit, cursor, ...query } = queryOf(request)
  return query
}
