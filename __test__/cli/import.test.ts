import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { freshDatabase } from '../support/database.js'
import { digestOf as digest, useImporting } from '../support/importing.js'
import {
  fillBetterAuth,
  importThroughKills,
  keyOfRow,
} from '../support/scenarios/killed-imports.js'
import { cli, json } from './cli.js'

// Keys move in from lines of JSON, and from one database to another.

const importing = useImporting()
const { env, use } = importing

const oldKey = (number: number) => `an-old-key-of-number-${number}`
const lines = (count: number) =>
  Array.from({ length: count }, (_, number) =>
    JSON.stringify({
      name: `Key ${number}`,
      clientId: 'acme',
      hash: { algorithm: 'sha256', encoding: 'hex', value: digest(oldKey(number)) },
    }),
  )

test('lines are imported once, and the bad ones are named', async () => {
  const input = [
    '\ufeff' + lines(1)[0],
    ...lines(3).slice(1),
    'no JSON',
    '{"name":"x"}',
    'null',
  ].join('\n')
  const { code, stdout, stderr } = await cli(['import'], { env: env(), input })
  expect(stdout).toBe('Imported: 3\nSkipped: 0\nFailed: 3\n')
  expect(stderr.split('\n').slice(0, 3)).toEqual([
    'error: line 4: is not JSON',
    expect.stringMatching(/^error: line 5: clientId is required/),
    'error: line 6: must be an object',
  ])
  expect(code).toBe(1)
  const again = await cli(['import', '-'], { env: env(), input: lines(3).join('\r\n') })
  expect(again).toMatchObject({ code: 0, stdout: 'Imported: 0\nSkipped: 3\nFailed: 0\n' })
  const tried = await json(['import', '--dry-run'], { env: env(), input: lines(4).join('\n') })
  expect(tried).toEqual({ imported: 1, skipped: 3, failedCount: 0, failed: [] })
})

test('an import that is killed again and again loses and doubles nothing', async () => {
  const { database } = importing
  const rows = 5_000
  await fillBetterAuth(database, rows)
  await importThroughKills(database, env(), { rows, kills: 5 })
  for (const number of [1, rows / 2, rows])
    expect(await addon.verifyApiKey(keyOfRow(number))).toMatchObject({ valid: true })
  expect(await cli(['import', '--from', 'better-auth'], { env: env() })).toMatchObject({
    code: 0,
    stdout: `Imported: 0\nSkipped: ${rows}\nFailed: 0\n`,
  })
}, 120_000)

test('what is exported answers the same in another database', async () => {
  const { database } = importing
  const other = await freshDatabase()
  try {
    const settings = {
      scopes: ['docs:read'],
      metadata: { plan: { name: 'pro', none: null } },
      limits: [{ name: 'tokens', limit: 10, windowSeconds: 60 }],
      quotas: [{ name: 'calls', amount: 5, period: 'month' as const }],
      allowedIps: ['10.0.0.0/8'],
    }
    const issued = await addon.createApiKey({ name: 'Issued', clientId: 'acme', ...settings })
    const disabled = await addon.createApiKey({ name: 'D', clientId: 'acme', isActive: false })
    const revoked = await addon.createApiKey({ name: 'R', clientId: 'acme' })
    await addon.revokeApiKey({ id: revoked.id, reason: 'superseded' })
    const rotated = await addon.updateApiKey({
      id: (await addon.createApiKey({ name: 'Before', clientId: 'acme' })).id,
      regenerateKey: true,
      gracePeriodSeconds: 3_600,
    })
    const hmac = {
      prefix: 'hm',
      hash: {
        algorithm: 'hmac-sha256',
        encoding: 'hex',
        value: createHash('sha256').digest('hex'),
        salt: '6b6579',
        part: { separator: '.', hashed: 'after', before: 'row' },
      },
    } as const
    await addon.importApiKeys([
      { name: 'I', clientId: 'acme', key: oldKey(1) },
      { name: 'H', clientId: 'acme', ...hmac },
    ])
    await database.sql(
      `INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "rateLimit", "updatedAt")
       VALUES ('legacy', $1, 'acme', 'L', 0, now())`,
      [oldKey(2)],
    )
    await database.sql(`UPDATE sophra_api_keys.signing_keys SET fingerprint = fingerprint`)
    const [signing] = await database.sql(`SELECT * FROM sophra_api_keys.signing_keys`)
    const keys = [issued.key, disabled.key, revoked.key, rotated.key!, oldKey(1), oldKey(2)]
    const answersOf = () =>
      Promise.all(keys.map((key) => addon.verifyApiKey(key, { ip: '10.1.2.3', peek: true })))
    const expected = await answersOf()
    expect(expected.filter(({ valid }) => valid)).toHaveLength(4)

    const { stdout } = await cli(['export', '--hashes'], { env: env() })
    expect(stdout.trimEnd().split('\n')).toHaveLength(7)
    for (const key of keys) expect(stdout).not.toContain(key)
    expect((await cli(['export'], { env: env() })).stdout).not.toContain('$')
    await addon.close()
    use(other)
    await addon.migrate()
    const names = Object.keys(signing!).map((name) => `"${name}"`)
    await other.sql(
      `INSERT INTO sophra_api_keys.signing_keys (${names.join()}) VALUES (${names.map((_, at) => `$${at + 1}`).join()})`,
      Object.values(signing!),
    )
    const imported = await cli(['import'], { env: env(other), input: stdout })
    expect(imported).toMatchObject({ code: 0, stdout: 'Imported: 7\nSkipped: 0\nFailed: 0\n' })
    expect(await answersOf()).toEqual(expected)
    const again = await cli(['import'], { env: env(other), input: stdout })
    expect(again).toMatchObject({ code: 0, stdout: 'Imported: 0\nSkipped: 7\nFailed: 0\n' })

    // A key that nobody could use is not imported.
    const item = stdout.split('\n').find((line) => line.includes('"Issued"'))!
    const foreign = JSON.parse(item) as { stored: { signingKey: string } }
    foreign.stored.signingKey = 'of another app'
    expect(await addon.importApiKeys([foreign as never])).toMatchObject({
      failed: [
        { index: 0, message: 'stored.signingKey must name one of the signing keys of this app' },
      ],
    })
  } finally {
    await addon.close()
    await other.drop()
  }
})

test('the command line is checked', async () => {
  for (const args of [
    ['--from', 'elsewhere'],
    ['--from', 'constructor'],
    ['--source', 'postgres://x/y'],
    ['--table', 'keys'],
    ['--client', 'acme'],
    ['--from', 'csv', '--table', 'keys'],
    ['--from', 'better-auth', '--table', 'keys', '-'],
    ['no-such-file'],
    ['.'],
  ]) {
    expect(await cli(['import', ...args], { env: env() })).toMatchObject({ code: 2 })
  }
})
