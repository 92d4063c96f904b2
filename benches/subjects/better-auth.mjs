/** (f) The API key plugin of better-auth, on the same Postgres, and with a secondary storage in memory. */
import { apiKey } from '@better-auth/api-key'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import pg from 'pg'
import { GUARDED, KEYS } from '../keys.mjs'

const PERMISSIONS = { documents: ['read'] }

export async function open({ databaseUrl }) {
  const pool = new pg.Pool({ connectionString: databaseUrl })
  const entries = new Map()
  const secondaryStorage = {
    get: (key) => entries.get(key),
    set: (key, value) => void entries.set(key, value),
    delete: (key) => void entries.delete(key),
  }
  return [
    {
      ...(await row('better-auth on Postgres, limit and permissions', pool, {
        storage: 'database',
      })),
      role: 'peer',
    },
    await row(
      'better-auth in secondary storage in memory, limit and permissions',
      pool,
      { storage: 'secondary-storage' },
      secondaryStorage,
    ),
  ]
}

async function row(title, database, storage, secondaryStorage) {
  const rateLimit = { enabled: true, timeWindow: 60_000, maxRequests: GUARDED.rateLimit }
  const auth = betterAuth({
    baseURL: 'http://localhost',
    secret: 'the secret of the benchmark, which signs nothing',
    database,
    secondaryStorage,
    plugins: [apiKey({ rateLimit, ...storage })],
    telemetry: { enabled: false },
  })
  const { runMigrations } = await getMigrations(auth.options)
  await runMigrations()
  const keys = []
  for (let index = 0; index < KEYS; index += 1) {
    // Each key has a user of its own: the storage in memory rewrites the user's whole list of keys at each verify.
    const body = { userId: `user-${index}`, name: `Key ${index}`, permissions: PERMISSIONS }
    keys.push((await auth.api.createApiKey({ body })).key)
  }
  return {
    title,
    call: (turn) =>
      auth.api.verifyApiKey({ body: { key: keys[turn % KEYS], permissions: PERMISSIONS } }),
    accepts: (answer) => answer.valid,
    together: true,
  }
}
