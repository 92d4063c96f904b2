import { serve as serveFetch, type ServerType } from '@hono/node-server'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll } from 'vitest'
import { addon, cheapHashing } from '../../support/addon.js'
import { serve, type Server } from '../../support/example-server.js'
import { useAddon } from '../../support/use-addon.js'
import { catalogue, kinds } from './seed.mjs'

const { consoleRoutes } = createRequire(import.meta.url)(
  '../../../lib/console.js',
) as typeof import('../../../lib/console.js')

/** The folder of a built example that has the packed package; without it, the console is served by a server of this process. */
const example = process.env.CONSOLE_EXAMPLE
const jwtSecret = 'the JWT secret of the browser tests, of 32 bytes or more'
const environments = ['live', 'test'] as const

export const READ_ONLY = [
  'keys:read',
  'usage:read',
  'audit:read',
  'metrics:read',
  'clients:read',
  'roles:read',
  'webhooks:read',
  'admin-tokens:read',
]

export interface Console {
  /** The address of the console, without a slash at its end. */
  url(path?: string): string
  sql: ReturnType<typeof useAddon>['sql']
  /** Makes an admin token. */
  token(permissions?: string[], name?: string): Promise<{ id: string; token: string }>
}

/** Serves the console for a test file, on a database of its own. */
export function useConsole(): Console {
  const database = useAddon({
    jwtSecret,
    kinds,
    scopes: catalogue,
    environment: [...environments],
    lastUsedIp: 'on',
    flushIntervalMs: 100,
    webhookAllowedNetworks: ['127.0.0.1'],
  })
  let server: { url: string; stop(): Promise<void> }
  beforeAll(async () => {
    await addon.migrate()
    server = example ? await serveExample(example, database.url()) : await serveHere()
  })
  afterAll(() => server?.stop())
  return {
    url: (path = '') => `${server.url}/admin${path}`,
    sql: database.sql,
    token: (permissions = ['*'], name = 'ann@example.com') =>
      addon.createAdminToken({ name, permissions }),
  }
}

async function serveHere(): Promise<{ url: string; stop(): Promise<void> }> {
  const routes = consoleRoutes() as unknown as Record<
    string,
    (request: Request) => Promise<Response>
  >
  const fetch = (request: Request) => {
    const isConsole = /^\/admin(\/|$)/.test(new URL(request.url).pathname)
    const handle = isConsole ? routes[request.method] : undefined
    return handle?.(request) ?? new Response(null, { status: 404 })
  }
  const server = await new Promise<ServerType>((resolve) => {
    const started: ServerType = serveFetch({ fetch, hostname: '127.0.0.1', port: 0 }, () =>
      resolve(started),
    )
  })
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

async function serveExample(folder: string, databaseUrl: string): Promise<Server> {
  const next = `${folder}/node_modules/next/dist/bin/next`
  const server = await serve((port) => [next, 'start', '-H', '127.0.0.1', '-p', port], folder, {
    DATABASE_URL: databaseUrl,
    JWT_SECRET: jwtSecret,
    API_KEYS_SCOPES: JSON.stringify(catalogue),
    API_KEYS_KINDS: JSON.stringify(kinds),
    API_KEYS_ENVIRONMENT: environments.join(),
    API_KEYS_LAST_USED_IP: 'on',
    API_KEYS_FLUSH_INTERVAL_MS: '100',
    API_KEYS_WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1',
    API_KEYS_ARGON2_MEMORY_KIB: String(cheapHashing.argon2MemoryKib),
    API_KEYS_ARGON2_ITERATIONS: String(cheapHashing.argon2Iterations),
    API_KEYS_LOG: 'off',
  })
  return { ...server, url: server.url.replace('127.0.0.1', 'localhost') }
}
