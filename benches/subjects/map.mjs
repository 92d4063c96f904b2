/** (e) The simplest code for keys in memory. It only checks that the key exists. */
import { createHash, randomBytes } from 'node:crypto'
import { KEYS } from '../keys.mjs'

export async function open() {
  const keys = Array.from({ length: KEYS }, () => randomBytes(48).toString('base64url'))
  const clients = new Map(keys.map((key, index) => [digest(key), { clientId: `client-${index}` }]))
  return [
    {
      title: 'plain JavaScript: `createHash(sha256)` and a `Map`, no other check, no promise',
      call: (turn) => clients.get(digest(keys[turn % KEYS])),
      accepts: (client) => client !== undefined,
      sync: true,
    },
  ]
}

function digest(key) {
  return createHash('sha256').update(key).digest('hex')
}
