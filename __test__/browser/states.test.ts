import { beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { settled, useBrowser } from './support/browser.js'
import { useConsole } from './support/console.js'

const served = useConsole()
const { signedIn, expecting } = useBrowser(served)

beforeAll(() => addon.migrate())

test('an empty database has a page for each list', async () => {
  const page = await signedIn('')
  await page.getByText('Nothing was verified yet').waitFor()
  for (const [path, text] of [
    ['/keys', 'There are no keys yet'],
    ['/clients', 'No client has settings yet'],
    ['/roles', 'There are no roles yet'],
    ['/webhooks', 'There are no webhooks yet'],
  ] as const) {
    await page.goto(served.url(path))
    await page.getByText(text).waitFor()
  }
})

test('a page is busy until its data is there', async () => {
  const page = await signedIn('/roles')
  let release = () => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  await page.route('**/api/keys?*', async (route) => {
    await held
    await route.continue()
  })
  await page.getByRole('link', { name: 'Keys', exact: true }).click()
  await page.locator('[aria-busy="true"]').first().waitFor()
  release()
  await settled(page)
})

test('what failed is told, and can be tried again', async () => {
  const page = await signedIn('/roles')
  expecting(page, /status of 500/)
  await page.route('**/api/keys?*', (route) =>
    route.fulfill({ status: 500, json: { error: 'It broke', code: 'INTERNAL' } }),
  )
  await page.getByRole('link', { name: 'Keys', exact: true }).click()
  await page.getByText('The server failed: It broke').waitFor()
  await page.unroute('**/api/keys?*')
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByText('There are no keys yet').waitFor()
})

test('an outage of the database is told on every page, and what was read stays', async () => {
  await addon.createApiKey({ name: 'Seen before', clientId: 'acme' })
  const page = await signedIn('/keys')
  await page.getByRole('link', { name: 'Seen before' }).waitFor()
  expecting(page, /status of 503/)
  await page.route('**/api/**', (route) =>
    route.fulfill({
      status: 503,
      json: { error: 'The database does not answer', code: 'DATABASE_UNAVAILABLE' },
    }),
  )
  await page.getByRole('button', { name: 'Name', exact: true }).click()
  await page.getByText('changes have to wait').waitFor()
  await page.unroute('**/api/**')
  await page.getByRole('button', { name: 'Name', exact: true }).click()
  await page.getByText('changes have to wait').waitFor({ state: 'detached' })
})

test('being offline is told, and ends by itself', async () => {
  const page = await signedIn('/keys')
  expecting(page, /ERR_INTERNET_DISCONNECTED/)
  await page.context().setOffline(true)
  await page.getByText('You are offline').waitFor()
  await page.context().setOffline(false)
  await page.getByText('You are offline').waitFor({ state: 'detached' })
})

test('a page that is not looked at asks for nothing', async () => {
  const page = await signedIn('/keys/no-such-page/at-all')
  await page.goto(served.url('/roles'))
  await settled(page)
  const asked: string[] = []
  page.on('request', (request) => request.url().includes('/api/') && asked.push(request.url()))
  await eventually(() => expect(asked.length).toBeGreaterThan(0), 40_000)
  await page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
  })
  // As long as two rounds of asking, by the clock of the page.
  const before = asked.length
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 21_000)))
  expect(asked.length).toBe(before)
  await page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { value: 'visible', configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
  })
  await eventually(() => expect(asked.length).toBeGreaterThan(before))
})
