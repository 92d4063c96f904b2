'use strict'

// Who manages keys by a request. What the app answers is read once, checked, and kept apart from the object of the app.

const { FaultOfApp, isOfAddon, isSignal } = require('../guard/answers.js')
const { scopesBeyond } = require('../own-keys.js')

const FIELDS = ['clientId', 'userId', 'grantable', 'ceilings', 'permissions']
const CEILINGS = ['maxKeys', 'maxTtlDays', 'maxRateLimit']
const PERMISSIONS = ['list', 'create', 'rename', 'rotate', 'revoke', 'usage']
/** Entries of a list. The addon takes as many scopes. */
const ENTRIES_MAX = 1_000
/** Characters of the name of an actor. */
const ACTOR_MAX = 255

/** The owner of the keys: `null` if nobody is signed in, else `{ own, by, permissions }`; `own` is what the addon is told. */
exports.ownerOf = async (owner, request) => {
  try {
    const answer = await owner(request)
    return answer === null ? null : checked(answer)
  } catch (error) {
    if (isSignal(error) || isOfAddon(error)) throw error
    throw new FaultOfApp(error)
  }
}

function checked(answer) {
  const { clientId, userId, grantable, ceilings, permissions } = fieldsOf('owner', answer, FIELDS)
  if (typeof clientId !== 'string') throw wrong('clientId', 'be a string')
  const own = {
    clientId,
    actor: userId === undefined ? namedAfter(clientId) : userId,
    grantable: listOf('grantable', grantable),
    ...(ceilings === undefined ? {} : ceilingsOf(ceilings)),
  }
  const held = listOf('permissions', permissions)
  if (!held.every((permission) => PERMISSIONS.includes(permission)))
    throw wrong('permissions', `be of ${PERMISSIONS.join(', ')}`)
  try {
    scopesBeyond(own, [])
  } catch (error) {
    // What the addon calls the input of its caller is the answer of the app here.
    throw new FaultOfApp(error)
  }
  return { own, by: { actor: own.actor }, permissions: held }
}

/** A ceiling that the app could not tell, such as that of a plan which it did not find, is a mistake, and not the absence of one. */
function ceilingsOf(ceilings) {
  const fields = fieldsOf('ceilings', ceilings, CEILINGS)
  for (const [name, most] of Object.entries(fields))
    if (most === undefined) throw wrong(`ceilings.${name}`, 'not be undefined')
  return fields
}

/** The actor where the app names no user. */
const namedAfter = (clientId) => Array.from(`client:${clientId}`).slice(0, ACTOR_MAX).join('')

/** The fields that an object has itself, each read once. A misspelt one may have been meant as a ceiling. */
function fieldsOf(name, value, known) {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(name, 'be an object')
  const entries = Object.entries(value)
  if (!entries.every(([field]) => known.includes(field)))
    throw wrong(name, `have no other fields than ${known.join(', ')}`)
  return Object.assign(Object.create(null), Object.fromEntries(entries))
}

function listOf(name, list) {
  if (!Array.isArray(list)) throw wrong(name, 'be an array')
  const { length } = list
  if (length > ENTRIES_MAX) throw wrong(name, `have at most ${ENTRIES_MAX} entries`)
  return Array.from({ length }, (_, index) => list[index])
}

const wrong = (name, rule) =>
  new TypeError(`clientKeyRoutes: the answer of owner is wrong: ${name} must ${rule}`)
