import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { run } from '../support/child.js'
import { serve, type Server } from '../support/example-server.js'

const folder = fileURLToPath(new URL('old-app/', import.meta.url))

/** An instance of the old app, in a process of its own. */
export const startOldApp = (databaseUrl: string): Promise<Server> =>
  serve(() => ['server.mjs'], folder, { DATABASE_URL: databaseUrl, TZ: 'UTC' })

/** Runs its seed script. */
export async function seed(databaseUrl: string, env: Record<string, string> = {}): Promise<void> {
  const child = await run([process.execPath, 'seed.mjs'], {
    cwd: folder,
    env: { DATABASE_URL: databaseUrl, TZ: 'UTC', ...env },
  })
  expect(child.code, child.stderr).toBe(0)
}
