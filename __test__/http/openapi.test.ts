import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { jwt } from '../support/jwt.js'
import { schemathesis, schemathesisVersion, validate } from '../support/schemathesis.js'
import { github, useApp, userJwtSecret } from '../support/example-app.js'
import * as openapi from './openapi/document.js'

const { file, operations, paths } = openapi

// Nothing is sent to the URLs that are made up.
const app = useApp({
  API_KEYS_WEBHOOKS: 'off',
  DEMO_ACCOUNT_SECRET: 'the secret of the accounts of the demonstration',
})

describe('openapi.yaml', () => {
  test('has every route, and no other', () => {
    expect([...paths].sort()).toEqual(openapi.routes().sort())
  })

  test.each(paths)('has every method of %s, and no other', async (path) => {
    const url = app.url() + path.replace('{id}', '42')
    const { status, headers } = await fetch(url, { method: 'OPTIONS' })
    expect(status).toBe(204)
    const served = headers.get('allow')!.split(', ')
    // A route that catches all has the methods of all of its paths.
    const same = paths.filter((other) => openapi.routeOf(other) === openapi.routeOf(path))
    const methods = [...new Set(same.flatMap(openapi.methodsOf))]
    const implied = ['OPTIONS', ...(served.includes('GET') ? ['HEAD'] : [])]
    expect(served.sort()).toEqual([...methods, ...implied].sort())
    for (const method of openapi.METHODS.filter((method) => !served.includes(method)))
      expect((await fetch(url, { method })).status).toBe(405)
  })
})

/** The variables for schemathesis: a token with these permissions, and a key like this. */
async function variables(permissions: string[], fields: object) {
  const tokenFor = async (permissions: string[]) =>
    (await addon.createAdminToken({ name: 'Schemathesis', permissions })).token
  const { id, key } = await app.create(fields)
  const signedIn = await app.request('/api/account/session', {
    method: 'POST',
    headers: { Origin: app.url() },
    body: JSON.stringify({ client: 'globex' }),
  })
  return {
    APP_URL: app.url(),
    SETUP_TOKEN: await tokenFor(['*']),
    ADMIN_TOKEN: await tokenFor(permissions),
    API_KEY: key as string,
    API_KEY_ID: id as string,
    SESSION: /=([^;]+)/.exec(signedIn.headers.get('set-cookie')!)![1]!,
    NODE: process.execPath,
    GITHUB_KEY_ID: github.entry.key_identifier,
    GITHUB_PRIVATE_KEY: github.privateKey,
  }
}

const everything = () => variables(['*'], { scopes: ['documents:read'] })

const version = schemathesisVersion()
if (!version) console.warn('schemathesis is not there: its checks are skipped')

describe.skipIf(!version)('schemathesis (needs it in target/tools or on the PATH)', () => {
  const timeout = 20 * 60_000

  test('the document is valid', () => {
    expect(validate(file)).toMatchObject({ code: 0 })
  })

  test('the app does what the document says', { timeout }, async () => {
    const { report, code, output, answers, linked } = await schemathesis(file, await everything())
    expect(report.failures, output).toEqual([])
    expect(code, output).toBe(0)
    // That it has really asked.
    const { size } = operations
    expect(report.operations).toMatchObject({ total: size, tested: size, errored: 0, skipped: 0 })
    for (const phase of ['examples', 'coverage', 'fuzzing', 'stateful'])
      expect(report.phases[phase]).toMatchObject({ status: 'success' })
    expect(report.test_cases.generated).toBeGreaterThan(1_500)
    for (const name of operations.keys())
      expect([...answers.get(name)!], name).toEqual(expect.arrayContaining(openapi.answersOf(name)))
    expect([...linked]).toEqual(expect.arrayContaining(openapi.linkedOperations()))
  })

  test('the app refuses as the document says', { timeout }, async () => {
    const limited = await variables([], { rateLimit: 1, rateLimitWindowSeconds: 3_600 })
    const exp = Math.floor(Date.now() / 1_000) + 3_600
    const user = jwt({ alg: 'HS256', typ: 'JWT' }, { sub: 'user-1', exp }, userJwtSecret)
    const args = ['--phases', 'fuzzing', '--mode', 'positive', '--max-examples', '5']
    // That what is right is refused is what this is about.
    args.push('--exclude-checks', 'positive_data_acceptance', '--warnings', 'off')
    const { code, output, answers } = await schemathesis(
      file,
      { ...limited, USER_TOKEN: user },
      args,
    )
    expect(code, output).toBe(0)
    // The user is nobody's admin, and needs no key to be told who they are. Each key can be revoked, and the
    // signature alone decides about a report. What others verify tokens with is public.
    const others: Record<string, number> = {
      'GET /api/search': 429,
      'GET /api/whoami': 200,
      'DELETE /api/keys/presented': 204,
      'POST /api/leaks': 200,
      'GET /.well-known/jwks.json': 200,
      'GET /.well-known/revoked-keys.json': 200,
    }
    for (const [name, { tags }] of operations) {
      const isOwn = tags.includes('account')
      // Its ids are made up.
      const own = name.includes('{id}') ? 404 : openapi.successOf(name)
      const expected = isOwn ? own : (others[name] ?? 403)
      expect([...answers.get(name)!], name).toContain(expected)
    }
    expect([...answers.get('GET /api/whoami')!]).not.toContain(429)
  })

  const mistakes: [name: string, failure: string, plant: (document: any) => void][] = [
    [
      'a field of another type',
      'JsonSchemaError',
      ({ components }) => (components.schemas.KeyFields.properties.usageCount.type = 'string'),
    ],
    [
      'a field that is not documented',
      'JsonSchemaError',
      ({ components }) => delete components.schemas.KeyFields.properties.start,
    ],
    [
      'a limit that is too high',
      'RejectedPositiveData',
      ({ components }) => (components.schemas.KeyRateLimitInput.maximum += 1),
    ],
    [
      'a limit that is too low',
      'AcceptedNegativeData',
      ({ components }) => (components.schemas.KeyRateLimitInput.maximum -= 1),
    ],
    [
      'a status that is not documented',
      'UndefinedStatusCode',
      ({ paths }) => delete paths['/api/keys'].post.responses['400'],
    ],
    [
      'a header that is not sent',
      'MissingHeaders',
      ({ components }) =>
        (components.responses.IssuedKey.headers['Retry-After'] = { required: true, schema: {} }),
    ],
  ]
  test.each(mistakes)('finds %s', { timeout }, async (_name, failure, plant) => {
    const document = openapi.read()
    plant(document)
    const folder = mkdtempSync(join(tmpdir(), 'openapi-'))
    try {
      const wrong = join(folder, 'wrong.json')
      writeFileSync(wrong, JSON.stringify(document))
      const args = ['--phases', 'coverage', '--include-operation-id', 'createKey']
      const { report, code, output } = await schemathesis(wrong, await everything(), args)
      expect(code, output).toBe(1)
      expect(report.failures.map(({ type }) => type)).toContain(failure)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
