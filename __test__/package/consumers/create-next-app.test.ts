import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase, type Database } from '../../support/database.js'
import { serve, type Server } from '../../support/example-server.js'
import { useConsumers, type Consumer } from '../support/consumer.js'
import {
  build,
  expectAccount,
  expectConsole,
  settingOf,
  writeAccount,
  writeConsole,
  writePage,
  writeRoute,
} from '../support/next-app.js'

const consumer = useConsumers()
const CLI = 'node_modules/@sophra/api-keys/lib/cli/main.js'

/** The choices that the older versions ask for. */
const CHOICES = ['--ts', '--tailwind', '--eslint', '--app', '--no-src-dir']
const VERSIONS = [
  {
    major: 14,
    config: 'next.config.mjs',
    empty: 'nextConfig = {',
    choices: [...CHOICES, '--import-alias', '@/*', '--use-npm'],
  },
  {
    major: 15,
    config: 'next.config.ts',
    empty: '/* config options here */',
    choices: [...CHOICES, '--turbopack', '--import-alias', '@/*', '--use-npm', '--disable-git'],
  },
  {
    major: 16,
    config: 'next.config.ts',
    empty: '/* config options here */',
    choices: ['--yes', '--use-npm', '--disable-git'],
  },
]

/** The newest version; `npm run consumers -- --all` tests the older ones too. */
const tested = process.env.TEST_ALL_CONSUMERS ? VERSIONS : VERSIONS.slice(-1)

/** Fonts of Google are fetched while building. */
const LOCAL_FONTS = 'const Geist = <T extends object>(font: T) => font\nconst Geist_Mono = Geist'

/** What `create-next-app` writes, with the lines of the quick start. */
async function create(version: (typeof VERSIONS)[number]): Promise<Consumer> {
  const { major, config, empty, choices } = version
  const maker = consumer()
  await maker.install(`create-next-app@${major}`)
  const command = 'node_modules/create-next-app/dist/index.js'
  const made = await maker.node([command, 'made', ...choices])
  expect(made.code, made.stdout + made.stderr).toBe(0)
  const app = maker.in('made')
  const change = (file: string, from: string | RegExp, to: string) => {
    const text = readFileSync(path.join(app.folder, file), 'utf8')
    const changed = text.replace(from, () => to)
    expect(changed).not.toBe(text)
    app.write(file, changed)
  }
  if (major > 14) change('app/layout.tsx', /import {[^}]*} from "next\/font\/google";/, LOCAL_FONTS)
  change(config, empty, `${empty}\n${settingOf(major)}\n`)
  writeRoute(app, major, 'app/api/hello/route.ts')
  writeRoute(app, major, 'app/api/keys/route.ts')
  writeConsole(app, major)
  writeAccount(app, major)
  writePage(app, major)
  await app.install('@sophra/api-keys')
  return app
}

describe.each(tested)('what create-next-app $major writes', (version) => {
  let app: Consumer
  let database: Database
  let server: Server | undefined

  beforeAll(async () => {
    database = await freshDatabase()
    app = await create(version)
  })
  afterAll(async () => {
    await server?.stop()
    await database.drop()
  })

  const next = (command: string, env: Record<string, string> = {}) =>
    serve(
      (port) => ['node_modules/next/dist/bin/next', command, '-H', '127.0.0.1', '-p', port],
      app.folder,
      { DATABASE_URL: database.url, ...env },
      app.executable,
    )
  const issue = async (name: string): Promise<string> => {
    const args = ['keys', 'create', '--name', name, '--client', 'acme', '--scope', 'docs:read']
    const { code, stdout, stderr } = await app.node([CLI, ...args], { DATABASE_URL: database.url })
    expect(code, stderr).toBe(0)
    return stdout.trim()
  }
  const hello = async (key: string) => {
    const response = await fetch(`${server!.url}/api/hello`, { headers: { 'x-api-key': key } })
    return { status: response.status, body: (await response.json()) as unknown }
  }
  const keysPage = async () => (await fetch(`${server!.url}/keys`)).text()

  /** What a browser without JavaScript sends when the first button is pressed. */
  const disable = async (): Promise<number> => {
    const page = await keysPage()
    const form = new FormData()
    form.set(/name="(\$ACTION_ID_\w+)"/.exec(page)![1]!, '')
    form.set('id', /name="id" value="([^"]+)"/.exec(page)![1]!)
    return (await fetch(`${server!.url}/keys`, { method: 'POST', body: form })).status
  }

  async function expectService(name: string): Promise<void> {
    const key = await issue(name)
    expect(await hello(key)).toEqual({ status: 200, body: { hello: 'acme' } })
    expect((await hello('no key')).status).toBe(401)
    expect((await fetch(`${server!.url}/api/keys`)).status).toBe(401)
    expect(await keysPage()).toContain(name)
    expect(await disable()).toBe(200)
    expect(await keysPage()).not.toContain(name)
    expect(await hello(key)).toMatchObject({ status: 401, body: { code: 'DISABLED' } })
    await expectConsole(server!.url)
    await expectAccount(server!.url)
    await server!.stop()
  }

  test.runIf(version.major === 16)('has cacheComponents', () => {
    const config = readFileSync(path.join(app.folder, version.config), 'utf8')
    expect(config).toContain('cacheComponents: true')
  })

  test('serves routes, a page and a Server Action once built', async () => {
    await build(app)
    server = await next('start')
    await expectService('Built')
  })

  test('serves them in development', async () => {
    server = await next('dev', { NODE_ENV: 'development' })
    await expectService('Developed')
  })
})
