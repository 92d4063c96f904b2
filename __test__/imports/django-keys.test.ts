import { execFile, spawnSync } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { root } from '../support/child.js'
import { eventually } from '../support/eventually.js'
import { useImporting } from '../support/importing.js'

// Keys that djangorestframework-api-key itself has made move in by the command. `PYTHON` names another interpreter that has it.

const MODULES = 'import django, psycopg, rest_framework, rest_framework_api_key'
const candidates = [process.env.PYTHON, path.join(root, 'target/tools/bin/python'), 'python3']
const python = candidates.find((it) => it && spawnSync(it, ['-c', MODULES]).status === 0)
if (!python)
  console.warn('Skipped: no Python here has djangorestframework-api-key: see .ci/tools.in')

const importing = useImporting()
const { getApiKey, verifyApiKey } = addon

type Name = 'plain' | 'older' | 'expiring' | 'expired' | 'revoked'

async function made(): Promise<Record<'keys' | 'accepted', Record<Name, string>>> {
  const env = {
    PATH: process.env.PATH,
    DATABASE_URL: importing.database.url,
    PYTHONDONTWRITEBYTECODE: '1',
  }
  const program = fileURLToPath(new URL('make_django_keys.py', import.meta.url))
  const { stdout } = await promisify(execFile)(python!, [program], { env })
  return JSON.parse(stdout)
}

test.skipIf(!python)('its keys verify here as they do there', async () => {
  const { keys, accepted } = await made()
  expect(accepted).toEqual({
    ...{ plain: true, older: true, expiring: true },
    ...{ expired: false, revoked: false },
  })
  const { sql } = importing.database
  const rows = await sql(`SELECT * FROM "rest_framework_api_key_apikey"`)
  const hashes = Object.fromEntries(rows.map(({ name, hashed_key }) => [name, hashed_key]))
  expect(hashes.plain).toMatch(/^sha512\$\$/)
  expect(hashes.older).toMatch(/^pbkdf2_sha256\$/)

  const from = ['--from', 'djangorestframework-api-key']
  const all = rows.length
  expect(await importing.counts(from)).toEqual({
    ...{ imported: all, skipped: 0, failedCount: 0, failed: [] },
  })
  for (const name of ['plain', 'older', 'expiring'] as const) {
    const verified = await verifyApiKey(keys[name])
    expect(verified).toMatchObject({ valid: true, name, clientId: name })
    const { created, expiry_date } = rows.find((row) => row.name === name)!
    const { createdAt, expiresAt } = (await getApiKey(verified.valid ? verified.keyId : ''))!
    expect([createdAt, expiresAt]).toEqual([created, expiry_date])
  }
  expect(await verifyApiKey(keys.expired)).toMatchObject({ code: 'EXPIRED' })
  expect(await verifyApiKey(keys.revoked)).toMatchObject({ code: 'DISABLED' })
  const [prefix] = keys.plain.split('.')
  for (const wrong of [`${keys.plain}x`, `${prefix}.${keys.older.split('.')[1]}`])
    expect(await verifyApiKey(wrong)).toMatchObject({ code: 'INVALID_KEY' })
  await eventually(async () => {
    for (const { key } of await sql(`SELECT "key" FROM "ApiKey"`))
      expect(key).toMatch(/^\$argon2id\$/)
  })
  for (const name of ['plain', 'older'] as const)
    expect(await verifyApiKey(keys[name])).toMatchObject({ valid: true })
  expect(await importing.counts([...from, '--client', 'acme'])).toMatchObject({ skipped: all })
})
