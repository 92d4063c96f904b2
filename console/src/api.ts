// Requests to the data routes.

import { mount, withQuery, type Query } from './address.ts'
import { store } from './store.ts'

/** Whether the server can be reached, and whether its database answers. */
export const connection = store<'ok' | 'offline' | 'outage'>('ok')

/** Called with the answer 401: the session is over. */
export const sessionEnded = { listener: (): void => {} }

export interface Issue {
  path: string
  message: string
}

export class Failed extends Error {
  readonly status: number
  readonly code: string
  readonly issues: Issue[]
  readonly retryAfterSeconds: number | null

  constructor(status: number, body: Record<string, unknown>, retryAfter: string | null = null) {
    super(typeof body.error === 'string' ? body.error : `The server answered ${status}`)
    this.status = status
    this.code = typeof body.code === 'string' ? body.code : ''
    this.issues = Array.isArray(body.issues) ? (body.issues as Issue[]) : []
    this.retryAfterSeconds = retryAfter && /^\d+$/.test(retryAfter) ? Number(retryAfter) : null
  }
}

export interface Options {
  query?: Query | URLSearchParams
  body?: unknown
  signal?: AbortSignal
  headers?: Record<string, string>
}

export interface Page<T> {
  rows: T[]
  /** `null` on the last page. */
  nextCursor: string | null
}

/** The address of a data route. */
export const route = (name: string, query: Options['query'] = {}): string =>
  withQuery(`${mount}api/${name}`, query)

export async function request<T>(method: string, name: string, options: Options = {}): Promise<T> {
  return (await answer(method, name, options)).json() as Promise<T>
}

/** A page of a list that is an array: the header `Link` has the cursor of the next one. */
export async function page<T>(name: string, options: Options = {}): Promise<Page<T>> {
  const response = await answer('GET', name, options)
  const next = /<([^>]*)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1]
  const nextCursor = next ? new URL(next, location.origin).searchParams.get('cursor') : null
  return { rows: await response.json(), nextCursor }
}

async function answer(method: string, name: string, options: Options): Promise<Response> {
  const response = await send(method, name, options)
  if (response.ok) {
    connection.set('ok')
    return response
  }
  const body = await response.json().catch(() => ({}))
  if (response.status === 401) sessionEnded.listener()
  connection.set(body.code === 'DATABASE_UNAVAILABLE' ? 'outage' : 'ok')
  throw new Failed(response.status, body, response.headers.get('retry-after'))
}

async function send(method: string, name: string, options: Options): Promise<Response> {
  const { query, body, signal, headers } = options
  try {
    return await fetch(route(name, query), {
      method,
      signal,
      credentials: 'same-origin',
      cache: 'no-store',
      headers: {
        accept: 'application/json',
        'x-api-keys-console': '1',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
  } catch (error) {
    if (signal?.aborted) throw error
    connection.set('offline')
    throw new Failed(0, { error: 'The server cannot be reached', code: 'OFFLINE' })
  }
}
