import type { Route } from './framework.js'

/** What `/fails` and `/bare-fails` throw. */
export class Failure extends Error {}

const fail = (): never => {
  throw new Failure('a fault of the app')
}

/** For keys that pages of other origins hold. */
const forPages = {
  path: '/page',
  options: { kinds: ['secret', 'publishable'], scopes: ['docs:read'] },
  handle: () => ({ headers: { vary: 'Accept-Language' }, body: { hello: 'page' } }),
} as const

/** The routes that every framework serves. */
export const routes: Route[] = [
  { method: 'get', ...forPages },
  { method: 'options', ...forPages },
  {
    method: 'get',
    path: '/documents',
    options: { scopes: ['docs:read'] },
    handle: ({ apiKey }) => ({ body: { hello: apiKey.clientId } }),
  },
  {
    method: 'post',
    path: '/echo',
    options: {},
    handle: async ({ body }) => ({ body: await body() }),
  },
  {
    method: 'get',
    path: '/cached',
    options: {},
    handle: () => ({ headers: { 'cache-control': 'private, max-age=60' }, body: {} }),
  },
  { method: 'get', path: '/fails', options: {}, handle: fail },
  { method: 'get', path: '/bare-fails', handle: fail },
  {
    method: 'get',
    path: '/settles',
    options: { cost: async () => 5, tag: '/settles' },
    handle: async ({ apiKey }) => ({ body: [await apiKey.settle(2), await apiKey.settle(1)] }),
  },
  {
    method: 'get',
    path: '/optional',
    options: { optional: true, scopes: { any: ['docs:read', 'docs:write'] } },
    handle: ({ apiKey }) => ({ body: { hello: apiKey?.clientId ?? null } }),
  },
  {
    method: 'get',
    path: '/own',
    options: { getKey: () => null, onRefused },
    handle: () => ({ body: {} }),
  },
  {
    method: 'get',
    path: '/unavailable',
    options: { refundOn },
    handle: () => ({ status: 503, headers: { 'x-refund': 'yes' }, body: {} }),
  },
  {
    method: 'get',
    path: '/available',
    options: { refundOn },
    handle: () => ({ headers: { 'x-refund': 'yes' }, body: {} }),
  },
]

function refundOn({ status, headers }: Response): boolean {
  return status === 503 && headers.get('x-refund') === 'yes'
}

function onRefused({ code }: { code: string }): Response {
  const headers = [
    ['content-type', 'text/html'],
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
  ] as [string, string][]
  return new Response(`<h1>${code}</h1>`, { status: 418, headers })
}
