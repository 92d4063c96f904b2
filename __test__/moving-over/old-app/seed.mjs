// The seed script of the app: it deletes all admin tokens and makes twenty, and some keys. Nobody checked what the tokens are signed
// with, so a secret that is not set did no harm.
import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import pg from 'pg'

const { DATABASE_URL, JWT_SECRET = 'secret', KEYS = '10' } = process.env
const client = new pg.Client({ connectionString: DATABASE_URL })
await client.connect()

await client.query('DELETE FROM "AdminToken"')
for (const environment of ['prod', 'staging', 'dev', 'test'])
  for (const purpose of ['api', 'monitoring', 'deployment', 'backup', 'maintenance']) {
    const name = `${environment}-${purpose}-1`
    await client.query(
      'INSERT INTO "AdminToken" ("id", "token", "name", "updatedAt") VALUES ($1, $2, $3, $4)',
      [randomUUID(), tokenOf(name), name, new Date()],
    )
  }
for (let n = 1; n <= Number(KEYS); n++)
  await client.query(
    'INSERT INTO "ApiKey" ("id", "key", "clientId", "name", "updatedAt") VALUES ($1, $2, $3, $4, $5)',
    [
      randomUUID(),
      randomBytes(32).toString('base64url'),
      `client-${n % 3}`,
      `Key ${n}`,
      new Date(),
    ],
  )
await client.end()

function tokenOf(name) {
  const iat = Math.floor(Date.now() / 1_000)
  const parts = [
    { alg: 'HS256', typ: 'JWT' },
    { type: 'admin', name, iat, exp: iat + 365 * 86_400 },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  const signature = createHmac('sha256', JWT_SECRET).update(parts.join('.')).digest('base64url')
  return [...parts, signature].join('.')
}
