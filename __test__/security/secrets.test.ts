import { expect, test } from 'vitest'
import { runScript } from '../support/child.js'
import { freshDatabase } from '../support/database.js'
import { dump, formsOf, occurring } from '../support/leaks.js'

const jwtSecret = 'jwt-secret-of-this-test-0123456789abcdef'
const password = 'database-password-of-this-test'

/** Does all that a process may do with keys, and logs every answer and every fault, as apps do. */
const program = `
  const { inspect } = require('node:util')
  const all = { depth: 10, maxArrayLength: null, maxStringLength: null, showHidden: true }
  const log = (value) => console.log(inspect(value, all))
  const logFault = (promise) => promise.then(
    () => { throw new Error('expected a fault') },
    (fault) => { log(fault); console.error(fault); console.error(JSON.stringify(fault)) },
  )
  api.onEvent(log)
  const issued = []
  while (issued.length < 1000) {
    const batch = Array.from({ length: 50 }, (_, index) =>
      api.createApiKey({ name: 'Key ' + index, clientId: 'client', metadata: { index } }))
    issued.push(...await Promise.all(batch))
  }
  const keys = issued.map(({ key }) => key)
  for (const { id, key } of issued.slice(0, 50)) {
    const { key: fresh, ...answer } =
      await api.updateApiKey({ id, regenerateKey: true, gracePeriodSeconds: 600 })
    keys.push(fresh)
    log(answer)
    for (const text of [key, fresh, key.slice(0, -1) + '!', key + 'x']) log(await api.verifyApiKey(text))
    log(await api.patchApiKey({ id, name: 'Renamed' }))
    log(await api.getApiKey(id))
  }
  const { token, ...row } = await api.createAdminToken({ name: 'Ops', permissions: ['*'] })
  log(row)
  for (const text of [token, token + 'x']) log(await api.verifyAdminToken(text))
  log(await api.listAdminTokens())
  log(await api.listApiKeys({ limit: 1000 }))

  const [key] = keys
  await logFault(api.verifyApiKey(key, { cost: -1 }))
  await logFault(api.verifyApiKey(key, { scopes: [key + ' '] }))
  await logFault(api.verifyAdminToken(token, { permission: 5 }))
  await logFault(api.deleteApiKey(key))
  await logFault(api.patchApiKey({ id: key, name: 5 }))
  await logFault(api.createApiKey({ name: 'x', clientId: 'c', key }))
  await logFault(api.listApiKeys({ cursor: key }))
  const url = 'https://example.com/?key=' + keys[1] + '&other=' + key + '&past=' + encodeURIComponent(keys[2] + ' ')
  for (const action of ['notify', 'revoke'])
    log(await api.reportLeakedKeys([{ key, url, source: url.slice(0, 255) }, { key: keys[1] + 'x', url }], { action }))
  await logFault(api.reportLeakedKeys([{ key, url: 5 }, { key, keyId: key }], { action: key }))
  log(await api.health())
  if (api.metrics) log(api.metrics())
  await api.flush()
  for (let cursor; cursor !== null; ) {
    const page = await api.listAuditEvents({ limit: 1000, cursor })
    log(page)
    cursor = page.nextCursor
  }
  await api.close()

  api.configure({ databaseUrl: 'postgres://user:' + process.env.PASSWORD + '@127.0.0.1:1/none' })
  await logFault(api.verifyApiKey(key))
  await logFault(api.createApiKey({ name: 'x', clientId: 'c' }))
  log(await api.health())
  log(api)
  // Node.js reports the environment by design.
  const { environmentVariables, ...diagnostic } = process.report.getReport()
  log(diagnostic)
  log(process.report.getReport(new Error('Diagnosed')).javascriptStack)
  report({ keys, token })
`

test('of a thousand keys nothing secret is stored or printed', async () => {
  const database = await freshDatabase()
  const env = {
    DATABASE_URL: database.url,
    JWT_SECRET: jwtSecret,
    PASSWORD: password,
    API_KEYS_ARGON2_MEMORY_KIB: '8',
    API_KEYS_ARGON2_ITERATIONS: '1',
    API_KEYS_LOG: 'off',
    RUST_LOG: 'trace',
    RUST_BACKTRACE: 'full',
  }
  const child = await runScript(program, { env })
  expect(child).toMatchObject({ code: 0, signal: null })
  const { keys, token } = child.reports[0] as { keys: string[]; token: string }
  expect(new Set(keys).size).toBe(1_050)

  const stored = await dump(database.sql)
  await database.drop()
  const printed = child.stdout + child.stderr
  // The public part of each key is there, so the search finds what is to be found.
  const lookups = keys.map((key) => key.split('_')[2]!)
  expect(occurring(lookups, stored)).toHaveLength(1_050)
  expect(occurring(lookups, printed).length).toBeGreaterThanOrEqual(1_000)

  const secretParts = keys.flatMap((key) => [key.split('_')[3]!, key.split('_')[3]!.slice(0, 32)])
  const tokenParts = [token, token.split('.')[2]!]
  const needles = [...keys, ...secretParts, ...tokenParts, jwtSecret, password].flatMap(formsOf)
  expect(occurring(needles, stored)).toEqual([])
  expect(occurring(needles, printed)).toEqual([])
})
