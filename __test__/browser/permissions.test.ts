import { beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { settled, useBrowser } from './support/browser.js'
import { useConsole } from './support/console.js'
import { seed } from './support/seed.mjs'

const served = useConsole()
const { reading, signedIn } = useBrowser(served)
let id: string

beforeAll(async () => {
  const keys = await seed(addon, served.sql)
  id = keys['Production API']!.id
  await addon.setWebhook({ url: 'http://127.0.0.1:9/hooks' })
})

/** What changes something, by the names of buttons and links. */
const CHANGES =
  /create\b|add|edit|rotate|revoke|suspend|lift|restore|delete|disable|enable|grant|settings|redeliver|new secret|end the grace/i

test.each([
  '',
  '/keys',
  '/keys/{id}',
  '/keys/{id}?edit=1',
  '/clients',
  '/clients/acme',
  '/roles',
  '/admin-tokens',
  '/webhooks',
  '/audit-log',
])('whoever may only read is offered nothing else: %s', async (path) => {
  const page = await reading(path.replace('{id}', id))
  await settled(page)
  const names = await page
    .locator('main')
    .evaluate((main) =>
      [...main.querySelectorAll('button, a.button')].map((one) => (one as HTMLElement).innerText),
    )
  expect(names.filter((name) => CHANGES.test(name))).toEqual([])
  expect(await page.locator('main input[type=checkbox]').count()).toBe(0)
})

test('a page for which a permission is missing is not in the navigation, and says so by its address', async () => {
  const page = await signedIn('', ['keys:read'])
  await settled(page)
  const links = await page.getByRole('navigation').getByRole('link').allInnerTexts()
  expect(links.map((text) => text.trim())).toEqual(['Overview', 'Keys'])
  await page.goto(served.url('/keys/new'))
  await page.getByText('not create them').waitFor()
  await page.goto(served.url('/roles'))
  await page.getByText('do not have permission').waitFor()
})

test('all of the navigation is there for whoever may read all', async () => {
  const page = await reading('')
  const links = await page.getByRole('navigation').getByRole('link').allInnerTexts()
  expect(links.map((text) => text.trim())).toEqual([
    'Overview',
    'Keys',
    'Clients',
    'Roles',
    'Admin tokens',
    'Webhooks',
    'Audit log',
  ])
  for (const name of [
    'Overview',
    'Keys',
    'Clients',
    'Roles',
    'Admin tokens',
    'Webhooks',
    'Audit log',
  ]) {
    await page.getByRole('navigation').getByRole('link', { name, exact: true }).click()
    await page.getByRole('heading', { level: 1, name, exact: true }).waitFor()
    await settled(page)
    expect(await page.locator('h1').count()).toBe(1)
  }
})
