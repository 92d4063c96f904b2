'use strict'

const { UsageError } = require('./faults.js')
const { nearest } = require('./nearest.js')

/** What each command is for, and where it is; loaded when it is asked for. */
const commands = {
  migrate: ['Bring the database up to date, and adopt old keys', () => require('./migrate.js')],
  doctor: ['What is wrong, and how to mend it', () => require('./doctor.js')],
  check: ['Is this text a well-formed key? Needs no database', () => require('./check.js')],
  'keys create': ['Issue a key', () => require('./keys/create.js')],
  'keys list': ['List and search keys', () => require('./keys/list.js')],
  'keys show': ['All about a key', () => require('./keys/show.js')],
  'keys update': ['Change a key', () => require('./keys/update.js')],
  'keys rotate': ['Replace a key by a new one', () => require('./keys/rotate.js')],
  'keys revoke': ['Disable or delete a key', () => require('./keys/revoke.js')],
  'keys verify': ['Would this key be accepted?', () => require('./keys/verify.js')],
  'admin-tokens create': ['Issue an admin token', () => require('./admin-tokens/create.js')],
  'admin-tokens list': ['List admin tokens', () => require('./admin-tokens/list.js')],
  'admin-tokens revoke': ['Revoke an admin token', () => require('./admin-tokens/revoke.js')],
}

const groups = ['keys', 'admin-tokens']

/** The command that the arguments begin with, and the rest of them. */
function find(args) {
  const words = groups.includes(args[0]) ? 2 : 1
  const name = args.slice(0, words).join(' ')
  if (commands[name]) return { name, command: commands[name][1](), rest: args.slice(words) }
  if (words === 2) return { group: groupOf(args[0], args[1]) }
  const known = [...new Set(Object.keys(commands).map((known) => known.split(' ')[0]))]
  throw new UsageError(`There is no such command${nearest(args[0], known)}`)
}

function groupOf(group, verb) {
  const asked = verb === '--help' || verb === '-h'
  const members = Object.entries(commands).filter(([name]) => name.startsWith(`${group} `))
  if (verb !== undefined && !asked) {
    const verbs = members.map(([name]) => name.split(' ')[1])
    throw new UsageError(`There is no such command of ${group}${nearest(verb, verbs)}`)
  }
  return { name: group, asked, commands: Object.fromEntries(members) }
}

module.exports = { commands, find }
