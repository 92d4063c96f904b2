import { scryptSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { digestOf } from '../support/importing.js'
import { useSetting } from '../support/setting.js'
import { cli } from '../cli/cli.js'

// Imported keys are no legacy keys: they become ours at their first use, whatever happens to legacy ones.

const { importApiKeys, verifyApiKey } = addon
const SALT = 'a salt of bytes!'

describe.each(['verify', 'hash'] as const)('with adopt: %s', (adopt) => {
  const setting = useSetting({
    adopt,
    jwtSecret: 'the JWT secret of this test, of 32 bytes or more',
  })

  test('a key becomes argon2id with a cold digest at its first use, and not before', async () => {
    const [fast, slow] = ['of-a-fast-foreign-hash', 'slow.of-a-slow-foreign-hash']
    const answer = await importApiKeys([
      {
        ...{ id: 'fast', name: 'F', clientId: 'acme' },
        hash: { algorithm: 'sha256', encoding: 'hex', value: digestOf(fast) },
      },
      {
        ...{ id: 'slow', name: 'S', clientId: 'acme' },
        hash: {
          algorithm: 'scrypt',
          encoding: 'hex',
          value: scryptSync(slow, SALT, 32, { N: 1024, r: 8, p: 1 }).toString('hex'),
          salt: Buffer.from(SALT).toString('hex'),
          parameters: { N: 1024, r: 8, p: 1 },
          part: { separator: '.', hashed: 'whole', before: 'row' },
        },
      },
      { id: 'plain', name: 'P', clientId: 'acme', key: 'in-plaintext-before-it-came' },
    ])
    expect(answer).toEqual({ imported: 3, skipped: 0, failed: [] })
    const stored = () =>
      setting.sql(`SELECT "id", "key", "coldDigest" FROM "ApiKey" WHERE "clientId" = 'acme'`)
    // Neither a backfill nor the sweep takes them for plaintext.
    expect(await addon.migrate({ adopt: true, limit: 1_000 })).toMatchObject({ adopted: 0 })
    for (const { key, coldDigest } of await stored()) {
      expect(key).toMatch(/^\$import\$/)
      expect(coldDigest).toBeNull()
    }
    for (const [id, key] of [
      ['fast', fast],
      ['slow', slow],
      ['plain', 'in-plaintext-before-it-came'],
    ])
      expect(await verifyApiKey(key!)).toMatchObject({ valid: true, keyId: id })
    await eventually(async () => {
      for (const { key, coldDigest } of await stored()) {
        expect(key).toMatch(/^\$argon2id\$/)
        expect(coldDigest).not.toBeNull()
      }
    })
  })

  test('doctor does not take one for plaintext', async () => {
    const unused = { name: 'U', clientId: 'acme', key: `never-used-after-it-came-${adopt}` }
    expect(await importApiKeys([unused])).toMatchObject({ imported: 1 })
    const env = {
      DATABASE_URL: setting.database.url,
      JWT_SECRET: 'the JWT secret of this test, of 32 bytes or more',
    }
    const { stdout } = await cli(['doctor', '--json'], { env })
    const checks = JSON.parse(stdout) as { check: string; status: string }[]
    expect(checks.find(({ check }) => check === 'plaintext')).toMatchObject({ status: 'ok' })
    expect(stdout).not.toContain(unused.key)
    expect((await addon.health()).problems).toEqual([])
  })
})
