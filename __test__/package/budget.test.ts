import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../support/child.js'
import { platforms } from './support/packed.js'

const MB = 1_000_000

/** The addons that are built here. */
const addons = platforms
  .flatMap(({ main }) => [path.join(root, main), path.join(root, 'portable', main)])
  .flatMap((file) => statSync(file, { throwIfNoEntry: false }) ?? [])

test('an addon is at most 6 MB', () => {
  expect(addons.length).toBeGreaterThan(0)
  for (const { size } of addons) expect(size).toBeLessThanOrEqual(6 * MB)
})

interface Load {
  ms: number
  bytes: number
}

test('before its first use the package takes at most 15 MB of memory', async () => {
  const loads: Load[] = []
  for (let n = 0; n < 5; n++) loads.push(await load())
  const ms = median(loads.map((load) => load.ms))
  const bytes = median(loads.map((load) => load.bytes))
  console.log(`require: ${ms.toFixed(1)} ms (30 at most), ${(bytes / MB).toFixed(1)} MB`)
  expect(bytes).toBeLessThanOrEqual(15 * MB)
})

/** In a process of its own: what a program pays that has loaded nothing yet. */
async function load(): Promise<Load> {
  const source = `
    const before = process.memoryUsage().rss
    const start = performance.now()
    require(${JSON.stringify(path.join(root, 'index.js'))})
    process.send({ ms: performance.now() - start, bytes: process.memoryUsage().rss - before })`
  const child = spawn(process.execPath, ['--eval', source], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const [measured] = (await once(child, 'message')) as [Load]
  return measured
}

const median = (values: number[]): number =>
  values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!
