import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { run, runScript } from '../support/child.js'
import { freshDatabase, type Database } from '../support/database.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, flush, getApiKey } = addon

useAddon({ flushIntervalMs: 600_000 })

const fixture = (name: string): string =>
  fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))
const binary = (path: string): string =>
  fileURLToPath(new URL(`../../node_modules/${path}`, import.meta.url))

test('the package exports exactly what is documented', async () => {
  const names = Object.keys(addon).sort()
  expect(names).toMatchInlineSnapshot(`
    [
      "ApiKeyError",
      "close",
      "configure",
      "createAdminToken",
      "createApiKey",
      "deleteApiKey",
      "deleteClient",
      "deleteRole",
      "deleteWebhook",
      "deriveToken",
      "exportApiKeys",
      "exportUsage",
      "flush",
      "getApiKey",
      "getClient",
      "getQuota",
      "getUsage",
      "grantQuota",
      "health",
      "importApiKeys",
      "isApiKeyError",
      "listAdminTokens",
      "listApiKeys",
      "listAuditEvents",
      "listClients",
      "listDeliveries",
      "listRoles",
      "listScopes",
      "listWebhooks",
      "metrics",
      "migrate",
      "onEvent",
      "patchApiKey",
      "redeliver",
      "reportLeakedKeys",
      "restoreApiKey",
      "revokeAdminToken",
      "revokeApiKey",
      "revokeApiKeys",
      "revokePresentedKey",
      "rotateAdminToken",
      "rotateTokenKey",
      "setClient",
      "setRole",
      "setWebhook",
      "settle",
      "updateApiKey",
      "verifyAdminToken",
      "verifyApiKey",
      "warmUp",
    ]
  `)
  const imported = (await import('@sophra/api-keys')) as object
  const named = Object.keys(imported).filter((name) => !/^(default|module\.exports)$/.test(name))
  expect(named.sort()).toEqual(names)
})

describe('a worker thread', () => {
  const ask = (script: string, workerData: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const source = `
        const { parentPort, workerData } = require('node:worker_threads')
        const api = require(${JSON.stringify(fixture('../../../index.js'))})
        ;(async () => { ${script} })().then((answer) => parentPort.postMessage(answer))`
      const worker = new Worker(source, { eval: true, workerData })
      worker.once('message', resolve).once('error', reject)
      worker.once('exit', (code) => reject(new Error(`ended with ${code} and no answer`)))
    })

  test('shares configuration, limits and usage with the main thread', async () => {
    const perDay = { rateLimit: 10, rateLimitWindowSeconds: 86_400 }
    const { id, key } = await createApiKey({ name: 'Shared', clientId: 'c', ...perDay })
    const script = `
      const answers = await Promise.all(Array.from({ length: 6 }, () => api.verifyApiKey(workerData)))
      return answers.filter((answer) => answer.valid).length`
    const accepted = await Promise.all([1, 2, 3].map(() => ask(script, key)))
    expect((accepted as number[]).reduce((a, b) => a + b)).toBe(10)
    await flush()
    expect((await getApiKey(id))!.usageCount).toBe(10)
  })

  test('gets faults that are errors of its own', async () => {
    const script = `
      const fault = await api.createApiKey(workerData).catch((fault) => fault)
      return [fault instanceof Error, fault.name, fault.code, fault.issues]`
    expect(await ask(script, { name: 5, clientId: 'c' })).toEqual([
      true,
      'ApiKeyError',
      'INVALID_INPUT',
      [{ path: 'name', message: expect.any(String) }],
    ])
  })

  test('may end while it asks', async () => {
    const source = `
      const api = require(${JSON.stringify(fixture('../../../index.js'))})
      for (let n = 0; n < 50; n++) api.listApiKeys().catch(() => {})
      process.exit()`
    for (let round = 0; round < 5; round++) {
      const worker = new Worker(source, { eval: true })
      await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject))
    }
    expect((await addon.health()).status).toBe('ok')
  })
})

describe('a process of its own', () => {
  let database: Database
  let env: Record<string, string>
  beforeAll(async () => {
    database = await freshDatabase()
    env = {
      DATABASE_URL: database.url,
      API_KEYS_ARGON2_MEMORY_KIB: '8',
      API_KEYS_ARGON2_ITERATIONS: '1',
      API_KEYS_LOG: 'off',
    }
  })
  afterAll(() => database.drop())

  test('ends by itself with the pool open', async () => {
    const child = await runScript(
      `const { key } = await api.createApiKey({ name: 'n', clientId: 'c' })
       report((await api.verifyApiKey(key)).valid)`,
      { env },
    )
    expect(child).toEqual({ code: 0, signal: null, stdout: '', stderr: '', reports: [true] })
  })

  test('may exit at once, in the middle of everything', async () => {
    const child = await runScript(
      `for (let n = 0; n < 20; n++) api.createApiKey({ name: 'n', clientId: 'c' })
       setImmediate(() => process.exit(7))`,
      { env },
    )
    expect(child).toMatchObject({ code: 7, signal: null, stdout: '', stderr: '' })
  })

  test('waits for the calls that it has made', async () => {
    const child = await runScript(
      `api.createApiKey({ name: 'n', clientId: 'c' }).then(({ id }) => report(id.length > 0))`,
      { env },
    )
    expect(child).toMatchObject({ code: 0, reports: [true] })
  })

  test('that leaves a rejection unhandled ends as Node ends it, with the fault', async () => {
    const child = await runScript(`await api.createApiKey({})`, { env })
    expect(child).toMatchObject({ code: 1, signal: null })
    expect(child.stderr).toContain('ApiKeyError')
    expect(child.stderr).toContain('INVALID_INPUT')
  })

  test('imports it as an ES module, default and by name', async () => {
    const source = `import api, { verifyApiKey } from '@sophra/api-keys'
      console.log(api.verifyApiKey === verifyApiKey, (await verifyApiKey('x')).code)`
    const child = await run([process.execPath, '--input-type=module', '-e', source], { env })
    expect(child).toMatchObject({ code: 0, stdout: 'true INVALID_KEY\n', stderr: '' })
  })

  test('of jest, with two contexts, knows its results and faults as its own', async () => {
    const command = [
      process.execPath,
      binary('jest/bin/jest.js'),
      '--config',
      fixture('jest/jest.config.json'),
    ]
    const child = await run([...command, '--runInBand', '--no-cache', '--ci'], { env })
    expect(child, child.stderr).toMatchObject({ code: 0, signal: null })
    expect(child.stderr).toMatch(/Tests:\s+\d+ passed, \d+ total/)
    expect(child.stderr).not.toMatch(/did not exit|failed/)
  })

  test.each(['threads', 'forks'])('of vitest with %s works', async (pool) => {
    const command = [
      process.execPath,
      binary('vitest/vitest.mjs'),
      'run',
      '--root',
      fixture('vitest'),
      // Reads the configuration where it is, without a copy beside it.
      '--configLoader',
      'native',
    ]
    const child = await run([...command, '--pool', pool, '--no-color'], { env })
    expect(child, child.stdout + child.stderr).toMatchObject({ code: 0, signal: null })
    expect(child.stdout).toMatch(/Tests\s+4 passed/)
  })
})
