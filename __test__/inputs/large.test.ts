import { expect, test } from 'vitest'
import { root, run } from '../support/child.js'
import { useAddon } from '../support/use-addon.js'

// No input has many fields. One that has is refused without a look at their names: to count them, V8 must list them, which takes
// a fraction of the time that making them took, and more must not be done on the event loop.

const jwtSecret = 'a secret that is long enough to be one'
const database = useAddon({ jwtSecret })
const environment = () => ({
  DATABASE_URL: database.url(),
  JWT_SECRET: jwtSecret,
  // What holds up the thread also holds up its start.
  API_KEYS_STATEMENT_TIMEOUT_MS: '20000',
})

interface Refused {
  what: string
  /** The problems that the addon named. */
  issues: { path: string; message: string }[]
  /** How often it listed the names of an object, and how many lists it read. */
  listed: number
  read: number
  /** How long the call kept the thread. */
  ms: number
}

/** Makes calls in a process in which the addon gets its lists of names from us. */
async function refused(setup: string, calls: Record<string, string>): Promise<Refused[]> {
  const child = await run(
    [
      process.execPath,
      '-e',
      `const { keys } = Object
       let [listed, read] = [0, 0]
       Object.keys = (object) => {
         const names = keys(object)
         listed++
         const [first] = names
         return Object.defineProperty(names, 0, { get: () => (read++, first) })
       }
       const api = require(${JSON.stringify(root)})
       const key = { name: 'n', clientId: 'c' }
       Object.keys = keys
       const report = (value) => require('node:fs').writeFileSync(3, JSON.stringify(value) + '\\n')
       const outcome = async (what, call) => {
         const before = [listed, read]
         const start = performance.now()
         const pending = (async () => call())()
         const ms = performance.now() - start
         const { code, issues } = await pending.then(() => ({}), (fault) => fault)
         const counts = { listed: listed - before[0], read: read - before[1] }
         report({ what, issues: code === 'INVALID_INPUT' ? issues : code, ...counts, ms })
       }
       ;(async () => {
         ${setup}
         ${Object.entries(calls)
           .map(([what, call]) => `await outcome(${JSON.stringify(what)}, () => ${call})`)
           .join('\n')}
         await api.close()
       })()`,
    ],
    { env: environment() },
  )
  expect(child).toMatchObject({ code: 0, stderr: '' })
  const outcomes = child.reports as Refused[]
  expect(outcomes.map(({ what }) => what)).toEqual(Object.keys(calls))
  for (const { what, ms } of outcomes)
    console.log(`${what} keeps the thread for ${ms.toFixed(0)} ms`)
  return outcomes
}

const MANY = `
  const many = JSON.parse('{' + Array.from({ length: 100_000 }, (_, n) => '"f' + n + '":1').join() + '}')`
const TOO_LARGE = 'is too large'

test(
  'an object of very many fields is refused, and none of their names is read',
  { timeout: 150_000 },
  async () => {
    const calls: [call: string, path: string][] = [
      ['createApiKey(many)', ''],
      [`createApiKey({ ...key, metadata: many })`, 'metadata'],
      [`createApiKey({ ...key, scopes: many })`, 'scopes'],
      [`createApiKey({ ...key, metadata: { a: [many] } })`, 'metadata.a[0]'],
      ['getApiKey(many)', 'id'],
      ['listApiKeys(many)', ''],
      ['updateApiKey(many)', ''],
      ['patchApiKey(many)', ''],
      ['revokeApiKey(many)', ''],
      ['revokeApiKeys(many)', ''],
      [`revokePresentedKey('x', many)`, ''],
      [`reportLeakedKeys([many], {})`, 'reports[0]'],
      [`reportLeakedKeys([], many)`, ''],
      [`deleteApiKey('x', many)`, ''],
      [`verifyApiKey('x', many)`, ''],
      ['createAdminToken(many)', ''],
      [`verifyAdminToken('x.y.z', many)`, ''],
      ['listAuditEvents(many)', ''],
      ['getUsage(many)', ''],
      ['exportUsage(many)', ''],
      ['setWebhook(many)', ''],
      ['listDeliveries(many)', ''],
      ['migrate(many)', ''],
    ]
    const outcomes = await refused(
      MANY,
      Object.fromEntries(calls.map(([call]) => [call, `api.${call}`])),
    )
    expect(outcomes.map(({ what, issues }) => [what, issues])).toEqual(
      calls.map(([call, path]) => [call, [{ path, message: TOO_LARGE }]]),
    )
    for (const { what, listed, read } of outcomes) {
      // The object around it has few fields.
      const around = what.split('{').length - 1
      expect([what, listed, read]).toEqual([what, 1 + around, around])
    }
  },
)

test('one that is at many places is listed twice at most', async () => {
  const [outcome] = await refused(
    `const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => ['f' + n, n]))`,
    {
      places: `api.createApiKey({ ...key, metadata: { a: Array(9_000).fill(many) } })`,
    },
  )
  expect(outcome!.issues).toContainEqual({ path: 'metadata.a[8]', message: TOO_LARGE })
  // The input and the metadata besides.
  expect(outcome).toMatchObject({ listed: 4, read: 2 })
})

test('what has the entries of a list is refused for its length, and its names are not listed', async () => {
  const outcomes = await refused(
    `const bytes = new Uint8Array(1_000_000)
     const text = new String('x'.repeat(1_000_000))
     const proxy = new Proxy(Array(1_000_000).fill(1), {})
     const list = Array(1_000_000).fill(1)`,
    Object.fromEntries(
      ['bytes', 'Buffer.from(bytes)', 'text', 'proxy', 'list', '{ ...key, metadata: bytes }'].map(
        (what) => [what, `api.createApiKey(${what})`],
      ),
    ),
  )
  const unsupported = 'has an unsupported type'
  expect(outcomes.map(({ what, issues }) => [what, issues[0]])).toEqual([
    ['bytes', { path: '', message: unsupported }],
    ['Buffer.from(bytes)', { path: '', message: unsupported }],
    ['text', { path: '', message: TOO_LARGE }],
    ['proxy', { path: '', message: TOO_LARGE }],
    ['list', { path: '', message: TOO_LARGE }],
    ['{ ...key, metadata: bytes }', { path: 'metadata', message: unsupported }],
  ])
  expect(outcomes.map(({ listed }) => listed)).toEqual([0, 0, 0, 0, 0, 1])
})

test('a long text that is at many places is not read at all of them', async () => {
  const [outcome] = await refused(`const text = 'x'.repeat(60_000)`, {
    texts: `api.createApiKey({ ...key, metadata: { a: Array(9_000).fill(text) } })`,
  })
  expect(outcome!.issues[0]).toEqual({ path: 'metadata.a[4]', message: 'is too long' })
})

test('an object that has a length is an object', async () => {
  const [outcome] = await refused('', {
    lengths: `api.createApiKey({ ...key, metadata: { length: 20_000, 0: 'a' }, more: 1 })`,
  })
  expect(outcome!.issues).toEqual([{ path: 'more', message: 'is not a known field' }])
})
