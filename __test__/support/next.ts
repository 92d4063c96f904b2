import { createRequire } from 'node:module'
import { expect } from 'vitest'

/** The subpath as an application loads it: by Node itself, beside the addon of the other tests. */
export const next = createRequire(import.meta.url)(
  '../../next.js',
) as typeof import('../../next.js')

/** The same without its types, for what TypeScript would not let through. */
export const untyped = next as unknown as Record<string, (...args: unknown[]) => any>

export const HOST = 'http://localhost:3000'

export interface Answer {
  status: number
  headers: Record<string, string>
  /** The body as the handler sent it. Each test states what it expects. */
  body: any
}

type Handler = (request: Request, context?: any) => Promise<Response>
type Headers = Record<string, string | undefined>

/** Asks a handler as a fetch-style server does. */
export async function ask(handler: Handler, headers: Headers = {}, path = '/'): Promise<Answer> {
  const given = Object.entries(headers).filter(
    (header): header is [string, string] => header[1] !== undefined,
  )
  return read(await handler(new Request(HOST + path, { headers: given })))
}

export async function read(response: Response): Promise<Answer> {
  const text = await response.text()
  const headers = Object.fromEntries(response.headers)
  const json = headers['content-type']?.startsWith('application/json') && text !== ''
  return { status: response.status, headers, body: json ? JSON.parse(text) : text }
}

/** The members that a body has beside those of all. */
const further = (code: string): string[] => [
  'issues',
  ...(code.startsWith('MISSING_') ? ['hint'] : []),
  ...(code === 'INSUFFICIENT_SCOPE' ? ['missingScopes'] : []),
]

/** A refusal or a fault, as every one of them is answered. */
export function expectFailure(answer: Answer, status: number, code: string, error?: string): void {
  expect(answer).toMatchObject({ status, body: { code } })
  expect(answer.body.error).toEqual(error ?? expect.stringMatching(/\S/))
  expect(
    Object.keys(answer.body)
      .filter((name) => !further(code).includes(name))
      .sort(),
  ).toEqual(['code', 'error'])
  expect(answer.headers['cache-control']).toBe('no-store')
  expect(answer.headers['content-type']).toMatch('application/json')
  expect(answer.headers['vary']).toBe('Accept')
  const isChallenged = status === 401 || code === 'INSUFFICIENT_SCOPE'
  expect('www-authenticate' in answer.headers).toBe(isChallenged)
}

/** Whole seconds, at least one. */
export const secondsIn = (answer: Answer): number => {
  expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/)
  return Number(answer.headers['retry-after'])
}

export const hello: () => Response = () => Response.json({ hello: true })

/** Errors of an app that has a class of the same name as that of the addon: they say nothing of the answer. */
export const namesakes = (): Error[] =>
  [
    {},
    { status: 403 },
    { code: 'OWN' },
    ...[0, 200, 302, 600, NaN, '403'].map((status) => ({ code: 'OWN', status })),
  ].map((fields) => Object.assign(new Error('for nobody'), { name: 'ApiKeyError', ...fields }))
