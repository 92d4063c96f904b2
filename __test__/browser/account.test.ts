import type { Browser, BrowserContext, Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ClientKeyOwner } from '../../next.js'
import { addon } from '../support/addon.js'
import { expectAccessible, startChromium } from '../support/chromium.js'
import { eventually } from '../support/eventually.js'
import { environmentFor, jwtSecret } from '../support/example-app.js'
import { startServer, type Server } from '../support/example-server.js'
import { startKeysApp, versionOf, type KeysApp, type ReactVersion } from '../support/keys-app.js'
import { useAddon } from '../support/use-addon.js'

const { createApiKey, getApiKey, listApiKeys, verifyApiKey } = addon

const database = useAddon({ jwtSecret })

let browser: Browser
let context: BrowserContext
let page: Page
/** What the browser has found wrong with the page. */
let problems: string[]
beforeAll(async () => {
  browser = await startChromium()
})
afterAll(() => browser.close())
beforeEach(async () => {
  problems = []
  context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] })
  page = await context.newPage()
  page.setDefaultTimeout(10_000)
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(message.text())
  })
})
afterEach(() => context.close())

const keys = () => page.getByRole('region', { name: 'API keys' })
const row = (name: string): Locator => page.getByRole('listitem').filter({ hasText: name })
const button = (name: string, within: Page | Locator = page): Locator =>
  within.getByRole('button', { name, exact: true })
const issued = () => page.getByTestId('issued-key')
const focused = () => page.evaluate<string>("document.activeElement?.textContent ?? ''")

async function create(name: string): Promise<string> {
  await page.getByLabel('Name').fill(name)
  await button('Create key').click()
  return (await issued().textContent())!
}
/** Waits until the page shows the keys. */
const isShown = () => button('Create key').waitFor()

/** What a client does with a key, from its creation to its revocation. */
async function throughTheLifeOfAKey(clientId: string): Promise<void> {
  await expectAccessible(page)
  // An empty name is not sent.
  await button('Create key').click()
  const key = await create('CI')
  expect(await verifyApiKey(key)).toMatchObject({ clientId, name: 'CI' })
  await page.getByText('It is not shown again').waitFor()
  await expectAccessible(page)
  await button('Copy').click()
  await page.getByText('The key was copied.').waitFor()
  expect(await page.evaluate('navigator.clipboard.readText()')).toBe(key)
  await button('Done').click()
  await eventually(async () => expect(await issued().count()).toBe(0))
  expect(await page.content()).not.toContain(key)

  await button('Rename', row('CI')).click()
  expect(await page.getByLabel('Name').inputValue()).toBe('CI')
  await expectAccessible(page)
  await page.getByLabel('Name').fill('Builds')
  await button('Save').click()
  await row('Builds').waitFor()

  await button('Rotate', row('Builds')).click()
  const rotated = (await issued().textContent())!
  expect(rotated).not.toBe(key)
  expect(await verifyApiKey(rotated)).toMatchObject({ name: 'Builds' })
  // For a day, so that nothing stops working.
  expect(await verifyApiKey(key)).toMatchObject({ valid: true })
  await page.getByText('The replaced key is accepted until').waitFor()
  await button('Done').click()

  await button('Revoke', row('Builds')).click()
  await expectAccessible(page)
  await button('Cancel').click()
  expect(await verifyApiKey(rotated)).toMatchObject({ valid: true })
  await button('Revoke', row('Builds')).click()
  await button('Revoke key').click()
  await row('Builds').getByText('Revoked').waitFor()
  expect(await button('Rotate', row('Builds')).count()).toBe(0)
  expect(await verifyApiKey(rotated)).toMatchObject({ code: 'REVOKED' })
  await expectAccessible(page)
}

describe.each<ReactVersion>([18, 19])('React %i', (version) => {
  let app: KeysApp
  let owner: () => ClientKeyOwner | null
  beforeAll(async () => {
    app = await startKeysApp(version, () => owner())
  })
  afterAll(() => app.stop())
  let clients = 0
  let clientId: string
  beforeEach(() => {
    clientId = `react-${version}-${++clients}`
    owner = () => ({
      ...{ clientId, grantable: [], ceilings: { maxKeys: 3 } },
      permissions: ['list', 'create', 'rename', 'rotate', 'revoke'],
    })
  })
  const open = async () => {
    await page.goto(app.url)
    await isShown()
  }

  test('is the version of the page', () => {
    expect(versionOf(version)).toMatch(new RegExp(`^${version}\\.`))
  })

  test('a key is created, renamed, rotated and revoked', async () => {
    await open()
    await throughTheLifeOfAKey(clientId)
    expect(problems).toEqual([])
  })

  test('the same by the keyboard alone, which goes on where it was', async () => {
    await open()
    const press = (key: string) => page.keyboard.press(key)
    await press('Tab')
    await page.keyboard.type('By keyboard')
    await press('Enter')
    await issued().waitFor()
    await eventually(async () => expect(await focused()).toContain('It is not shown again'))
    const key = (await issued().textContent())!
    // Copy, then Done.
    await press('Tab')
    await press('Enter')
    await page.getByText('The key was copied.').waitFor()
    await press('Tab')
    await press('Enter')
    const name = page.getByLabel('Name')
    await eventually(async () => expect(await isFocused(name)).toBe(true))
    // Back to the buttons of the key: Revoke, Rotate, Rename.
    for (const at of ['Revoke', 'Rotate', 'Rename']) {
      await press('Shift+Tab')
      expect(await focused()).toBe(at)
    }
    await press('Enter')
    await eventually(async () => expect(await isFocused(name)).toBe(true))
    await press('Escape')
    await eventually(async () => expect(await focused()).toBe('Rename'))
    await press('Enter')
    await eventually(async () => expect(await isFocused(name)).toBe(true))
    await press('ControlOrMeta+a')
    await page.keyboard.type('Renamed')
    await press('Enter')
    await row('Renamed').waitFor()
    await eventually(async () => expect(await focused()).toBe('Rename'))
    await press('Tab')
    await press('Enter')
    await eventually(async () => expect(await issued().textContent()).not.toBe(key))
    await issued().waitFor()
    await press('Tab')
    await press('Tab')
    await press('Enter')
    await eventually(async () => expect(await focused()).toBe('Rotate'))
    await press('Tab')
    await press('Enter')
    await eventually(async () => expect(await focused()).toBe('Revoke key'))
    await press('Enter')
    await row('Renamed').getByText('Revoked').waitFor()
    await eventually(async () => expect(await focused()).toContain('Renamed'))
    const { keys } = await listApiKeys({ clientId })
    expect(keys).toMatchObject([{ name: 'Renamed', status: 'revoked' }])
    expect(problems).toEqual([])
  })

  test('what is refused is told where it was asked for', async () => {
    for (const name of ['one', 'two', 'three']) await createApiKey({ name, clientId })
    await open()
    await page.getByLabel('Name').fill('four')
    await button('Create key').click()
    const alert = page.getByRole('alert')
    expect(await alert.textContent()).toBe(
      'You have as many keys as you may have. Revoke one first.',
    )
    await expectAccessible(page)
    await page.getByLabel('Name').fill('x'.repeat(256))
    await button('Create key').click()
    await eventually(async () => expect(await alert.textContent()).toMatch('255 characters'))
    owner = () => null
    await button('Rotate', row('two')).click()
    await row('two').getByRole('alert').waitFor()
    expect(await row('two').getByRole('alert').textContent()).toBe('Sign in to manage your keys.')
  })

  test('keys that cannot be loaded are loaded at another try', async () => {
    owner = () => null
    await page.goto(app.url)
    await page.getByRole('alert').waitFor()
    await expectAccessible(page)
    await createApiKey({ name: 'here', clientId })
    owner = () => ({ clientId, grantable: [], permissions: ['list'] })
    await button('Try again').click()
    await row('here').waitFor()
    expect(await keys().getAttribute('aria-busy')).toBe('false')
  })

  test('hostile names are shown as texts, and whole', async () => {
    const names = [
      '<script>window.owned = 1</script>',
      '"><img src=x onerror="window.owned = 1">',
      '\u202Egnp.exe\u2066',
      '👩‍👩‍👧‍👦'.repeat(23).slice(0, 250),
      '🔑'.repeat(255),
      '{{constructor.constructor("window.owned = 1")()}}',
    ]
    for (const name of names) await createApiKey({ name, clientId })
    await open()
    const shown = await page.getByRole('listitem').locator('bdi').allTextContents()
    expect(shown).toEqual([...names].reverse())
    expect(await page.evaluate("'owned' in window")).toBe(false)
    await page.setViewportSize({ width: 360, height: 640 })
    const isWide = 'document.documentElement.scrollWidth > document.documentElement.clientWidth'
    expect(await page.evaluate(isWide)).toBe(false)
    await expectAccessible(page)
    expect(problems).toEqual([])
  })
})

const isFocused = (element: Locator): Promise<boolean> =>
  element.evaluate((found) => found === found.ownerDocument.activeElement)

describe('the account of the example', () => {
  let server: Server
  beforeAll(async () => {
    await addon.migrate()
    const secret = { DEMO_ACCOUNT_SECRET: 'the secret of the accounts of the demonstration' }
    server = await startServer({ ...environmentFor(database.url()), ...secret })
  })
  afterAll(() => server?.stop())

  test('a client signs in, and manages their own keys alone', async () => {
    const theirs = await createApiKey({ name: 'Of Globex', clientId: 'globex' })
    await page.goto(`${server.url}/account`)
    await expectAccessible(page)
    await button('Sign in as Acme').click()
    await isShown()
    await throughTheLifeOfAKey('acme')
    expect(await row('Of Globex').count()).toBe(0)
    const [cookie] = await context.cookies()
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict' })

    await button('Sign out').click()
    await button('Sign in as Globex').click()
    await row('Of Globex').waitFor()
    expect(await row('Builds').count()).toBe(0)
    await button('Rename', row('Of Globex')).click()
    await page.getByLabel('Name').fill('Ours')
    await button('Save').click()
    await row('Ours').waitFor()
    expect(await getApiKey(theirs.id)).toMatchObject({ name: 'Ours' })
    expect(problems).toEqual([])
  })

  test('keys have the ceilings of the example', async () => {
    await page.goto(`${server.url}/account`)
    await button('Sign in as Acme').click()
    await isShown()
    for (let made = 1; made <= 5; made += 1) {
      await create(`key ${made}`)
      await button('Done').click()
      await eventually(async () => expect(await issued().count()).toBe(0))
    }
    await page.getByLabel('Name').fill('one more')
    await button('Create key').click()
    await keys().getByRole('alert').waitFor()
    const listed = await listApiKeys({ clientId: 'acme', status: 'active' })
    expect(listed.keys).toHaveLength(5)
    for (const key of listed.keys)
      expect(key).toMatchObject({ rateLimit: 100, expiresAt: expect.any(Date) })
  })
})

test('the account of the example is not found unless it is switched on', async () => {
  const server = await startServer(environmentFor(database.url()))
  try {
    for (const [path, method] of [
      ['/account', 'GET'],
      ['/api/account/session', 'POST'],
      ['/api/account/session', 'DELETE'],
    ] as const)
      expect((await fetch(server.url + path, { method })).status, path).toBe(404)
    const headers = { cookie: 'demo-account=x' }
    expect((await fetch(`${server.url}/api/account/keys`, { headers })).status).toBe(401)
  } finally {
    await server.stop()
  }
})
