'use strict'

const { Exit } = require('./errors.js')
const { pageOptions, readPages } = require('./pages.js')
const { past } = require('./values.js')

module.exports = {
  summary:
    'Lists the audit log, newest first: changes, refused attempts, suspensions. It holds nothing secret.',
  options: {
    id: { value: '<id>', help: 'Only the entries of the key with this id' },
    type: { value: '<type>', help: 'Only the entries of this type, e.g. key.refused' },
    from: {
      ...past,
      help: 'Only entries at this instant or later: 24h ago, or 2027-01-31T12:00:00Z',
    },
    to: { ...past, help: 'Only entries before this instant' },
    ...pageOptions('entries'),
  },
  examples: [
    ['npx @sophra/api-keys audit --type key.refused --from 24h', 'Refused keys of the last day'],
    [
      'npx @sophra/api-keys audit --id 7c9e6679-7425-40de-944b-e07fc1f90ae7',
      'What happened to a key',
    ],
    ["npx @sophra/api-keys audit --json | jq '.events[].type'", 'For a program'],
  ],
  async run({ options }, output, addon) {
    const { events, nextCursor } = await read(options, addon)
    if (output.json) {
      output.value({ events, nextCursor })
    } else if (events.length === 0) {
      output.note('There are no such entries.')
    } else {
      output.table(HEADINGS, events.map(row))
      if (nextCursor) output.note(`There are more entries: use --cursor ${nextCursor}`)
    }
    return Exit.ok
  },
}

const HEADINGS = ['AT', 'TYPE', 'REASON', 'KEY OR TOKEN', 'CLIENT', 'ACTOR', 'ADDRESS', 'COUNT']

const row = ({
  at,
  type,
  reason,
  keyId,
  tokenId,
  lookup,
  clientId,
  actor,
  ip,
  claimedIp,
  count,
}) => [
  at,
  type,
  reason,
  keyId ?? tokenId ?? lookup,
  clientId,
  actor,
  ip ?? (claimedIp && `claims ${claimedIp}`),
  count,
]

function read({ id, type, from, to, ...options }, addon) {
  const query = { keyId: id, type, from, to }
  return readPages(addon.listAuditEvents, 'events', query, options)
}
