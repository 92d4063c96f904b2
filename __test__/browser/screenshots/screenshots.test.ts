import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import { addon } from '../../support/addon.js'
import { eventually } from '../../support/eventually.js'
import { startReceiver } from '../../support/receiver.js'
import { settled, useBrowser } from '../support/browser.js'
import { useConsole } from '../support/console.js'
import { seed } from '../support/seed.mjs'

const FOLDER = fileURLToPath(new URL('../../../docs/images/', import.meta.url))
const MOST_BYTES = 1_500_000

const served = useConsole()
const { visit, signedIn } = useBrowser(served)
let id: string

beforeAll(async () => {
  const keys = await seed(addon, served.sql)
  id = keys['Production API']!.id
  await deliver()
  mkdirSync(FOLDER, { recursive: true })
  for (const name of pictures()) rmSync(FOLDER + name)
})

const pictures = () => readdirSync(FOLDER).filter((name) => name.startsWith('console-'))

/** Some notices that were delivered, to an address that looks like one of a team. */
async function deliver(): Promise<void> {
  const receiver = await startReceiver()
  await addon.setWebhook({ url: receiver.url })
  await addon.patchApiKey({ id, description: 'Used by the servers in Frankfurt and Dublin' })
  for (const name of ['Preview', 'Canary', 'Load test'])
    await addon.createApiKey({ name, clientId: 'umbrella', environment: 'test' })
  await eventually(() => expect(receiver.arrived.length).toBeGreaterThan(3), 30_000)
  await eventually(async () => {
    const { deliveries } = await addon.listDeliveries({ state: 'delivered' })
    expect(deliveries.length).toBeGreaterThan(3)
  }, 30_000)
  await served.sql('UPDATE sophra_api_keys.webhooks SET url = $1', [
    'https://hooks.acme.example/api-keys',
  ])
  await receiver.close()
}

async function picture(page: Page, name: string, scrollTo = 0): Promise<void> {
  await settled(page)
  // The chart is drawn by a file of its own.
  const charts = page.getByTestId('usage-chart')
  if ((await charts.count()) > 0) await charts.locator('canvas').waitFor()
  await page.evaluate((top) => window.scrollTo(0, top), scrollTo)
  const session = await page.context().newCDPSession(page)
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: 80 })
  writeFileSync(`${FOLDER}console-${name}.webp`, Buffer.from(data, 'base64'))
}

const LARGE = { viewport: { width: 1360, height: 860 }, deviceScaleFactor: 1.5 }

test('pictures of each page', async () => {
  await picture(await visit('', LARGE), 'sign-in')
  const page = await signedIn('?range=7d', undefined, LARGE)
  const of = async (path: string, name: string) => {
    await page.goto(served.url(path))
    await picture(page, name)
  }
  await of('', 'overview')
  await of('/keys', 'keys')
  await of(`/keys/${id}`, 'key')
  await of('/keys/new', 'create-key')
  await of('/clients', 'clients')
  await of('/clients/acme', 'client')
  await of('/roles', 'roles')
  await of('/admin-tokens', 'admin-tokens')
  await of('/webhooks', 'webhooks')
  await of('/audit-log', 'audit-log')

  const dark = await signedIn('', undefined, { ...LARGE, colorScheme: 'dark' })
  await picture(dark, 'overview-dark')
  const phone = await signedIn(`/keys/${id}`, undefined, {
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
  })
  await picture(phone, 'key-phone')

  const sizes = pictures().map((name) => statSync(FOLDER + name).size)
  expect(sizes).toHaveLength(13)
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(MOST_BYTES)
})
