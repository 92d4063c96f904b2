import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { read } from '../docs/markdown.js'
import { exits } from '../support/scenarios/exits.js'
import { hostileKeys } from '../support/scenarios/hostile.js'
import { loads, terminations } from '../support/scenarios/terminations.js'
import { root } from '../support/child.js'
import { newKey, useEndings } from '../support/endings.js'
import { thrownBy } from '../support/faults.js'

const { envFor: endingsEnv } = useEndings()
type Key = Awaited<ReturnType<typeof newKey>>
const envFor = (key: Key): Record<string, string> =>
  endingsEnv(key, {
    API_KEYS_ARGON2_MEMORY_KIB: '8',
    API_KEYS_ARGON2_ITERATIONS: '1',
    API_KEYS_LOG: 'off',
  })

test('threads may be terminated in the middle of verifies', { timeout: 120_000 }, () =>
  terminations(envFor, 20),
)

test('the package may be loaded over and over in threads', { timeout: 120_000 }, async () => {
  await loads(envFor, 20)
})

test('a process may end by any road in the middle of verifies', { timeout: 120_000 }, () =>
  exits(envFor, 10),
)

test('hostile keys are refused, and nothing worse', { timeout: 120_000 }, async () => {
  const { key } = await newKey()
  await hostileKeys(key, 20_000)
})

test('no panic can cross an exported function', () => {
  const inside = readdirSync(join(root, 'src/binding'), { recursive: true, encoding: 'utf8' })
  const names = inside.filter((name) => name.endsWith('.rs'))
  const sources = ['src/binding.rs', ...names.map((name) => `src/binding/${name}`)]
  const exports = sources.flatMap((path) => [...read(path).matchAll(/^#\[napi\b.*?\)?\]$/gms)])
  expect(exports.length).toBeGreaterThan(20)
  for (const [attribute] of exports) expect(attribute).toContain('catch_unwind')
})

test('the text of an unexpected native error is not passed on', () => {
  const { guarded } = createRequire(import.meta.url)('../../lib/errors.js') as {
    guarded(call: () => unknown): unknown
  }
  const fault = thrownBy(() =>
    guarded(() => {
      throw new Error('hunter2')
    }),
  )
  expect(fault).toMatchObject({ code: 'INTERNAL', status: 500 })
  expect(`${fault.message} ${fault.stack} ${JSON.stringify(fault)}`).not.toContain('hunter2')
  expect(fault.cause).toBeUndefined()
})
