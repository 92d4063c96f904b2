import { afterAll, beforeAll, expect } from 'vitest'
import { addon } from './addon.js'
import { makeSigner } from './github.js'
import { useAddon } from './use-addon.js'
import { startServer, type Server } from './example-server.js'

export const jwtSecret = 'the JWT secret of the HTTP tests, of 32 bytes or more'
export const userJwtSecret = 'the secret of the users of the HTTP tests, as long'
/** Signs in place of GitHub. */
export const github = makeSigner()

/** The route by which admins manage keys. */
export const KEYS_ROUTE = '/api/keys'
/** The route by which they set what holds for all keys of a client. */
export const CLIENTS_ROUTE = '/api/clients'
/** The route by which they read quotas and add to them. */
export const QUOTAS_ROUTE = '/api/quotas'

// Bodies are as the server sends them; a test says itself what it expects in them.
export interface Answer {
  status: number
  headers: Headers
  body: any
}

export interface App {
  url(): string
  sql: ReturnType<typeof useAddon>['sql']
  environment(): Record<string, string>
  /** A request to any route. */
  request(path: string, init?: RequestInit): Promise<Answer>
  /** A request to the keys' route by an admin who may do everything. */
  keys(method: string, body?: unknown, query?: string): Promise<Answer>
  /** The same with a body that is sent as it is. */
  keysText(method: string, body?: RequestInit['body'], query?: string): Promise<Answer>
  /** A request to the clients' route by the same admin. */
  clients(method: string, body?: unknown, query?: string): Promise<Answer>
  /** A request to the quotas' route by the same admin. */
  quotas(method: string, body?: unknown, query?: string): Promise<Answer>
  /** Makes a key, of client `acme` unless told otherwise. */
  create(fields?: object): Promise<any>
}

/**
 * Serves the example for a test file, on a database of its own, so that tests can send requests to it. When the file is done, nothing of
 * the keys and tokens that went over the wire may be in what the server has printed.
 */
export function useApp(variables: Record<string, string> = {}): App {
  const database = useAddon({ jwtSecret })
  const secrets = new Set<string>()
  let server: Server
  let adminToken: string

  const environment = () => ({ ...environmentFor(database.url()), ...variables })
  beforeAll(async () => {
    server = await startServer(environment())
    adminToken = (await addon.createAdminToken({ name: 'Tests', permissions: ['*'] })).token
    secrets.add(adminToken)
  })
  afterAll(async () => {
    await server?.stop()
    for (const secret of secrets) expect(server.output()).not.toContain(secret.slice(-40))
  })

  const request: App['request'] = async (path, init) => {
    const answer = await send(server.url + path, init)
    if (answer.body?.key) secrets.add(answer.body.key)
    return answer
  }
  const textTo =
    (route: string): App['keysText'] =>
    (method, body, query = '') =>
      request(`${route}${query}`, {
        method,
        headers: { 'x-admin-token': adminToken, 'content-type': 'application/json' },
        body,
        duplex: 'half',
      } as RequestInit)
  const jsonTo =
    (route: string): App['keys'] =>
    (method, body, query) =>
      textTo(route)(method, body === undefined ? undefined : JSON.stringify(body), query)
  const keys = jsonTo(KEYS_ROUTE)
  const create: App['create'] = async (fields) => {
    const { status, body } = await keys('POST', { name: 'Search', clientId: 'acme', ...fields })
    expect({ status, body }).toMatchObject({ status: 201 })
    return body
  }
  return {
    url: () => server.url,
    sql: database.sql,
    environment,
    request,
    keys,
    keysText: textTo(KEYS_ROUTE),
    clients: jsonTo(CLIENTS_ROUTE),
    quotas: jsonTo(QUOTAS_ROUTE),
    create,
  }
}

export function environmentFor(databaseUrl: string): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    JWT_SECRET: jwtSecret,
    USER_JWT_SECRET: userJwtSecret,
    GITHUB_KEYS_URL: `data:application/json,${encodeURIComponent(JSON.stringify({ public_keys: [github.entry] }))}`,
    API_KEYS_ARGON2_MEMORY_KIB: '8',
    API_KEYS_ARGON2_ITERATIONS: '1',
    API_KEYS_LOG: 'off',
  }
}

/** Every answer of every route is JSON and must not be stored. */
export async function send(url: string, init?: RequestInit): Promise<Answer> {
  const response = await fetch(url, init)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(response.headers.get('content-type')).toMatch('application/json')
  return { status: response.status, headers: response.headers, body: await response.json() }
}

/** An answer that a client should try again later: so many whole seconds, at least one. */
export function expectRetryAfter({ headers }: Answer): void {
  expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
}
