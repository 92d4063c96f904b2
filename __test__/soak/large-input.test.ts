import { expect, test } from 'vitest'
import { untyped } from '../support/addon.js'
import { faultOf } from '../support/faults.js'
import { useAddon } from '../support/use-addon.js'

// V8 must list the names of an object to count them. How long that keeps the thread is printed, next to what it takes to make
// such an object.

const { createApiKey, verifyApiKey } = untyped

useAddon()

const FIELDS = 1_000_000

test('an object of a million fields is refused', async () => {
  const timed = <T>(what: string, work: () => T): T => {
    const start = performance.now()
    const result = work()
    console.log(`${what}: ${(performance.now() - start).toFixed(0)} ms`)
    return result
  }
  const fields = Array.from({ length: FIELDS }, (_, n) => `"field${n}":1`)
  const json = `{${fields.join()}}`
  const many = timed('JSON.parse', () => JSON.parse(json) as object)
  timed('Object.keys', () => Object.keys(many))
  const key = { name: 'n', clientId: 'c' }
  for (const [call, path] of [
    [() => createApiKey(many), ''],
    [() => createApiKey({ ...key, metadata: many }), 'metadata'],
    [() => verifyApiKey('x', many), ''],
  ] as const) {
    const refused = timed(String(call), call)
    const { issues } = await faultOf(() => refused)
    expect(issues).toEqual([{ path, message: 'is too large' }])
  }
})
