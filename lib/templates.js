'use strict'

// The parts of results that stay the same from verify to verify. They are fetched once per cache entry, frozen and shared.

const native = require('./addon.js')

/** The memory that all templates of this thread may take up. */
const BYTES_MAX = 64 * 1024 * 1024

// What V8 needs at most, in bytes: measured with metadata of one kind of value, and with names that no other object has.
const TEMPLATE_BYTES = 320
const VALUE_BYTES = 40
const OBJECT_BYTES = 64
const FIELD_BYTES = 64
const CHARACTER_BYTES = 2

/** The templates by the serial number of their cache entry, which is never used twice; the oldest comes first. */
const templates = new Map()
/** The serial number of the newest template of each presented key. */
const serials = new Map()
/** The clients of templates by their serial numbers: keys of the same client share it. */
const clients = new Map()
let bytes = 0

function freeze(value) {
  if (typeof value === 'object' && value !== null)
    Object.values(Object.freeze(value)).forEach(freeze)
  return value
}

/** The memory of a value that was parsed from JSON. */
function bytesOf(value) {
  if (typeof value === 'string') return VALUE_BYTES + CHARACTER_BYTES * value.length
  if (typeof value !== 'object' || value === null) return VALUE_BYTES
  if (Array.isArray(value)) return value.reduce((sum, entry) => sum + bytesOf(entry), VALUE_BYTES)
  let sum = VALUE_BYTES + OBJECT_BYTES
  for (const [name, field] of Object.entries(value))
    sum += FIELD_BYTES + CHARACTER_BYTES * name.length + bytesOf(field)
  return sum
}

function drop(serial) {
  const template = templates.get(serial)
  if (template === undefined) return
  templates.delete(serial)
  serials.delete(template.slot)
  bytes -= template.bytes
  leave(template.clientSerial)
}

/** The client of a template, which is the same for all keys of the client. */
function shared(serial, client) {
  if (client === null) return null
  let known = clients.get(serial)
  if (known === undefined) {
    known = { client: freeze(client), users: 0, bytes: bytesOf(client) }
    clients.set(serial, known)
    bytes += known.bytes
  }
  known.users += 1
  return known.client
}

function leave(serial) {
  const known = clients.get(serial)
  if (known === undefined) return
  known.users -= 1
  if (known.users > 0) return
  clients.delete(serial)
  bytes -= known.bytes
}

/** Keeps a template in place of the last one of the same presented key, and of the oldest ones if there is no room. */
function keep(serial, template) {
  drop(serials.get(template.slot))
  // Another writer may have stored metadata of any size.
  if (template.bytes > BYTES_MAX) {
    leave(template.clientSerial)
    return
  }
  for (const oldest of templates.keys()) {
    if (bytes + template.bytes <= BYTES_MAX) break
    drop(oldest)
  }
  templates.set(serial, template)
  serials.set(template.slot, serial)
  bytes += template.bytes
}

/**
 * The verifications of this thread by their scopes, which no two cache entries share and nobody else can make: a result is known by
 * them at no cost for the verifies that make it.
 */
const verified = new WeakMap()

/** Keeps in mind that such a result is a verification, for what is derived from it. */
function remember({ keyId, keyNumber, clientId, scopes, claims, graceEndsAt: until = null }) {
  verified.set(scopes, { keyId, keyNumber, clientId, isOfToken: claims !== undefined, until })
}

function fetched(serial) {
  const template = JSON.parse(native.warmTemplate()).value
  const { name, clientId, scopes, metadata, limits, quotas, claims } = template
  template.windows = limits.map(({ windowSeconds }) => windowSeconds)
  template.client = shared(template.clientSerial, template.client)
  const parts = [name, clientId, scopes, metadata, limits, template.windows, quotas, claims ?? null]
  template.bytes = TEMPLATE_BYTES + bytesOf(parts)
  remember(template)
  keep(serial, freeze(template))
  return template
}

/** Must be called directly after the native verify, which remembers only the last entry of this thread. */
exports.templateOf = (serial) => templates.get(serial) ?? fetched(serial)

exports.freeze = freeze
exports.remember = remember
/** What is known of the verification with these scopes. */
exports.rememberedBy = (scopes) => verified.get(scopes)
/** What is kept; for tests. */
exports.kept = () => ({ templates: templates.size, slots: serials.size, bytes })
