import { beforeAll, expect, test } from 'vitest'
import { useConsumers, type Consumer } from './support/consumer.js'

const MINUTES = 60_000
const consumer = useConsumers()
let app: Consumer

beforeAll(async () => {
  app = consumer('examples/testing')
  await app.install()
}, 5 * MINUTES)

test.each(['vitest', 'jest'])(
  'the recipe for %s tests a protected route on a database of its own',
  async (runner) => {
    const { code, stdout, stderr } = await app.npm(['run', `test:${runner}`])
    const output = (stdout + stderr).replaceAll(/\x1b\[[\d;]*m/g, '')
    expect(code, output).toBe(0)
    expect(output).toMatch(/Tests:? +3 passed/)
  },
  5 * MINUTES,
)
