import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { useConsumers, type Consumer } from '../support/consumer.js'
import { useNodes } from '../support/nodes.js'
import { JWT_SECRET, testPrograms } from '../support/programs.js'
import { freshDatabase, type Database } from '../../support/database.js'

const consumer = useConsumers()
const nodeOf = useNodes('18', 'latest')
let database: Database

beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

/** vitest itself needs Node.js 20. */
const RUNNERS = { '18': ['jest'], latest: ['jest', 'vitest'] }

describe.each(['18', 'latest'] as const)('Node.js %s', (version) => {
  let app: Consumer

  beforeAll(async () => {
    app = consumer('examples/testing').with(nodeOf(version))
    await app.install()
  })

  const run = (...args: string[]) => app.node(args, { DATABASE_URL: database.url, JWT_SECRET })

  test('is another one than this', async () => {
    const { stdout } = await app.node(['--version'])
    console.log(`Node.js ${version}: ${stdout.trim()}`)
    expect(Number(/^v(\d+)\./.exec(stdout)?.[1])).not.toBe(20)
    if (version !== 'latest') expect(stdout).toMatch(`v${version}.`)
  })

  testPrograms(
    () => app,
    () => database.url,
  )

  test('the command line', async () => {
    const command = 'node_modules/@sophra/api-keys/lib/cli/main.js'
    expect(await run(command, 'migrate')).toMatchObject({ code: 0, stderr: '' })
    const { code, stdout, stderr } = await run(command, 'keys', 'list', '--json')
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' })
    for (const options of [['--quiet'], ['--before', '--quiet']])
      expect(await run(command, 'doctor', ...options)).toMatchObject({ code: 0 })
  })

  test.each(RUNNERS[version])('the recipe for %s', async (runner) => {
    const { code, stdout, stderr } = await app.npm(['run', `test:${runner}`])
    const output = (stdout + stderr).replaceAll(/\x1b\[[\d;]*m/g, '')
    expect(code, output).toBe(0)
    expect(output).toMatch(/Tests:? +3 passed/)
  })
})
