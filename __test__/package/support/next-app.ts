import { readFileSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { expect } from 'vitest'
import { blocks, fileOf, read } from '../../docs/markdown.js'
import { root } from '../../support/child.js'
import { serve, type Server } from '../../support/example-server.js'
import type { Consumer } from './consumer.js'

const page = 'docs/quick-start/nextjs.md'

/** What the quick start says to write for a version, with an output that is complete in itself. */
export function configOf(major: number): string {
  const config = fileOf(page, 'next.config.mjs', major === 14 ? 1 : 0)
  return config.replace('{', "{\n  output: 'standalone',")
}

/** What the quick start says to add to each route of Next.js 14. */
const LINES_OF_14 = blocks(read(page), 'ts').find((text) =>
  text.startsWith('export const runtime'),
)!

/** Writes a route of the quick start, or of another page. */
export const writeRoute = (app: Consumer, major: number, file: string, of = page): void =>
  app.write(file, fileOf(of, file) + (major === 14 ? LINES_OF_14 : ''))

/** Writes the route of the console. */
export const writeConsole = (app: Consumer, major: number): void =>
  writeRoute(app, major, 'app/admin/[[...path]]/route.ts', 'docs/guides/console.md')

/** The console is served: its page, and the files that the page names, as they are in the package. */
export async function expectConsole(url: string): Promise<void> {
  const page = await fetch(`${url}/admin`)
  expect(page.status).toBe(200)
  const text = await page.text()
  const base = new URL(/<base href="([^"]*)"/.exec(text)![1]!, page.url)
  const names = [...text.matchAll(/ (?:src|href)="((?:\.\/)?assets\/[^"]*)"/g)].map(
    ([, name]) => name!,
  )
  expect(names.length).toBeGreaterThan(0)
  for (const name of names) {
    const response = await fetch(new URL(name, base))
    const file = path.join(root, 'lib/console/files', name)
    expect(await response.text(), name).toBe(readFileSync(file, 'utf8'))
  }
}

/** Writes a page with the component of the guide for customers' keys, and its routes. */
export function writeAccount(app: Consumer, major: number): void {
  const [component] = blocks(read('docs/guides/customer-keys.md'), 'tsx')
  app.write('app/account/keys.tsx', component!)
  app.write('app/account/page.tsx', ACCOUNT)
  app.write(
    'app/api/account/keys/[[...path]]/route.ts',
    ACCOUNT_KEYS + (major === 14 ? LINES_OF_14 : ''),
  )
}

const ACCOUNT = `
import '@sophra/api-keys/react.css'
import { Keys } from './keys'

export default function Page() {
  return <Keys />
}
`

const ACCOUNT_KEYS = `
import { clientKeyRoutes } from '@sophra/api-keys/next'

export const { GET, POST, PATCH, DELETE } = clientKeyRoutes({
  owner: (request) =>
    request.headers.get('cookie') === 'session=ann'
      ? { clientId: 'acme', grantable: ['docs:*'], permissions: ['list', 'create'] }
      : null,
})
`

/** The page has the component, and its routes know who asks. */
export async function expectAccount(url: string): Promise<void> {
  expect(await (await fetch(`${url}/account`)).text()).toContain('sophra-keys')
  const keys = `${url}/api/account/keys`
  expect((await fetch(keys)).status).toBe(401)
  const headers = { cookie: 'session=ann', origin: url, 'content-type': 'application/json' }
  const body = JSON.stringify({ name: 'CI', scopes: ['docs:read'] })
  expect((await fetch(keys, { method: 'POST', headers, body })).status).toBe(201)
}

/** Writes the page and the Server Action of the quick start. */
export function writePage(app: Consumer, major: number): void {
  const [component, actions] = ['app/keys/page.tsx', 'app/keys/actions.ts']
  const text = fileOf(page, component)
  const for14 = text
    .replace(/import { connection }.*\n/, '')
    .replace(/ *await connection\(\)\n/, '')
    .concat("export const dynamic = 'force-dynamic'\n")
  app.write(component, major === 14 ? for14 : text)
  app.write(actions, fileOf(page, actions))
}

/** The line of the quick start for an existing configuration. */
export const settingOf = (major: number): string =>
  /\{\n(.*)\n\}/s.exec(fileOf(page, 'next.config.mjs', major === 14 ? 1 : 0))![1]!

export async function build(app: Consumer): Promise<void> {
  const done = await app.node(['node_modules/next/dist/bin/next', 'build'])
  expect(done.code, done.stdout + done.stderr).toBe(0)
}

/** The standalone output, in a place where nothing else is: what it needs is in it. */
export function serveStandalone(app: Consumer, env: Record<string, string>): Promise<Server> {
  const moved = `${app.folder}-standalone`
  rmSync(moved, { recursive: true, force: true })
  renameSync(path.join(app.folder, '.next/standalone'), moved)
  return serve(() => [path.join(moved, 'server.js')], moved, env, app.executable)
}
