'use strict'

// The fields of a webhook on the command line.

const statusOf = ({ isActive }) => (isActive ? 'active' : 'switched off')
const typesOf = ({ types }) => (types === null ? 'all' : types.join(', '))

/** Webhooks as a table: its headings and rows. */
exports.table = (webhooks) => [
  ['ID', 'STATUS', 'TYPES', 'URL'],
  webhooks.map((webhook) => [webhook.id, statusOf(webhook), typesOf(webhook), webhook.url]),
]

exports.record = (webhook) => [
  ['id', webhook.id],
  ['url', webhook.url],
  ['types', typesOf(webhook)],
  ['status', statusOf(webhook)],
  ['created', webhook.createdAt],
  ['changed', webhook.updatedAt],
  ...(webhook.secret ? [['secret', webhook.secret]] : []),
]
