'use strict'

const { UsageError } = require('./errors.js')
const { suggestion } = require('./suggestion.js')

/** The summary of each command in the overview, and a function that loads it. */
const commands = {
  migrate: [
    'Bring the database schema up to date, and adopt old keys',
    () => require('./migrate.js'),
  ],
  doctor: ['Find problems, and say how to solve them', () => require('./doctor.js')],
  health: ['Check whether the package works', () => require('./health.js')],
  import: ['Import keys of other programs', () => require('./import.js')],
  export: ['Export keys for another database', () => require('./export.js')],
  audit: ['Read the audit log', () => require('./audit.js')],
  check: ['Check whether a text is a well-formed key; no database', () => require('./check.js')],
  'keys create': ['Issue a key', () => require('./keys/create.js')],
  'keys list': ['List and search keys', () => require('./keys/list.js')],
  'keys find': ['Find keys by their beginning', () => require('./keys/find.js')],
  'keys show': ['Show all fields of a key', () => require('./keys/show.js')],
  'keys update': ['Change a key', () => require('./keys/update.js')],
  'keys rotate': ['Replace a key with a new one', () => require('./keys/rotate.js')],
  'keys revoke': ['Revoke or delete a key', () => require('./keys/revoke.js')],
  'keys report-leaked': ['Revoke keys that have leaked', () => require('./keys/report-leaked.js')],
  'keys restore': ['Restore a revoked key', () => require('./keys/restore.js')],
  'keys verify': ['Check whether a key would be accepted', () => require('./keys/verify.js')],
  'clients set': ['Set what holds for all keys of a client', () => require('./clients/set.js')],
  'clients get': ['Show a client', () => require('./clients/get.js')],
  'clients list': ['List and search clients', () => require('./clients/list.js')],
  'clients delete': ['Delete the settings of a client', () => require('./clients/delete.js')],
  'roles set': ['Set the scopes of a role', () => require('./roles/set.js')],
  'roles list': ['List roles', () => require('./roles/list.js')],
  'roles delete': ['Delete a role that no key names', () => require('./roles/delete.js')],
  'quotas get': ['Show what is left of a quota', () => require('./quotas/get.js')],
  'quotas grant': ['Add units to a quota', () => require('./quotas/grant.js')],
  'usage show': ['Show usage by hour, day or month', () => require('./usage/show.js')],
  'usage export': ['Export the usage of closed hours', () => require('./usage/export.js')],
  'webhooks set': ['Make or change a webhook', () => require('./webhooks/set.js')],
  'webhooks list': ['List webhooks', () => require('./webhooks/list.js')],
  'webhooks delete': ['Delete a webhook', () => require('./webhooks/delete.js')],
  'webhooks deliveries': ['List deliveries to webhooks', () => require('./webhooks/deliveries.js')],
  'webhooks redeliver': ['Deliver a notice once more', () => require('./webhooks/redeliver.js')],
  'admin-tokens create': ['Issue an admin token', () => require('./admin-tokens/create.js')],
  'admin-tokens list': ['List admin tokens', () => require('./admin-tokens/list.js')],
  'admin-tokens rotate': [
    'Replace an admin token with a new one',
    () => require('./admin-tokens/rotate.js'),
  ],
  'admin-tokens revoke': ['Revoke an admin token', () => require('./admin-tokens/revoke.js')],
  'console link': ['Make a link that signs in to the console', () => require('./console/link.js')],
  'token-keys list': [
    'List the public keys of derived tokens',
    () => require('./token-keys/list.js'),
  ],
  'token-keys rotate': [
    'Have a new key sign derived tokens',
    () => require('./token-keys/rotate.js'),
  ],
}

const groups = [
  'keys',
  'clients',
  'roles',
  'quotas',
  'usage',
  'webhooks',
  'admin-tokens',
  'console',
  'token-keys',
]

/** The command that the arguments begin with, and the remaining arguments. */
function find(args) {
  const words = groups.includes(args[0]) ? 2 : 1
  const name = args.slice(0, words).join(' ')
  if (Object.hasOwn(commands, name))
    return { name, command: commands[name][1](), rest: args.slice(words) }
  if (words === 2) return { group: groupOf(args[0], args[1]) }
  const firstWords = [...new Set(Object.keys(commands).map((name) => name.split(' ')[0]))]
  throw new UsageError(`There is no such command${suggestion(args[0], firstWords)}`)
}

function groupOf(group, verb) {
  const helpWanted = verb === '--help' || verb === '-h'
  const members = Object.entries(commands).filter(([name]) => name.startsWith(`${group} `))
  if (verb !== undefined && !helpWanted) {
    const verbs = members.map(([name]) => name.split(' ')[1])
    throw new UsageError(`There is no such command of ${group}${suggestion(verb, verbs)}`)
  }
  return { name: group, helpWanted, commands: Object.fromEntries(members) }
}

module.exports = { commands, find }
