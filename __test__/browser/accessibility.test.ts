import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import { addon } from '../support/addon.js'
import { settled, useBrowser } from './support/browser.js'
import { useConsole } from './support/console.js'
import { seed } from './support/seed.mjs'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const served = useConsole()
const { visit, signedIn } = useBrowser(served)
let id: string
let revoked: string

beforeAll(async () => {
  const keys = await seed(addon, served.sql)
  id = keys['Production API']!.id
  revoked = keys['Old importer']!.id
  await addon.setWebhook({ url: 'http://127.0.0.1:9/hooks' })
  await addon.createApiKey({ name: 'Delivered', clientId: 'no-settings' })
})

const PAGES = [
  '',
  '/keys',
  '/keys?search=zzz',
  '/keys/new',
  '/keys/{id}',
  '/keys/{revoked}',
  '/keys/{id}?edit=1',
  '/clients',
  '/clients/acme',
  '/roles',
  '/admin-tokens',
  '/webhooks',
  '/audit-log',
  '/no/such/page',
]

const at = (path: string) => path.replace('{id}', id).replace('{revoked}', revoked)

async function violations(page: Page): Promise<string[]> {
  // Not a script of the page: the policy does not hold for what the tester evaluates.
  await page.evaluate(axe)
  return page.evaluate(async () => {
    const { violations } = await (window as any).axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    })
    return violations.flatMap(({ id, nodes }: any) =>
      nodes.map(({ html, failureSummary }: any) => `${id}: ${html}\n${failureSummary}`),
    )
  })
}

describe.each(['light', 'dark'] as const)('in the %s scheme', (colorScheme) => {
  test('no page has a violation that axe-core finds', async () => {
    const page = await signedIn('', undefined, { colorScheme })
    const found: Record<string, string[]> = {}
    for (const path of PAGES) {
      await page.goto(served.url(at(path)))
      await settled(page)
      const here = await violations(page)
      if (here.length > 0) found[path] = here
    }
    expect(found).toEqual({})
  }, 180_000)

  test('nor has the page of signing in, or a dialog', async () => {
    const first = await visit('', { colorScheme })
    await first.getByLabel('Admin token').fill('wrong')
    await first.getByRole('button', { name: 'Sign in' }).click()
    await first.getByRole('alert').waitFor()
    expect(await violations(first)).toEqual([])

    const page = await signedIn(at('/keys/{id}'), undefined, { colorScheme })
    for (const name of ['Rotate', 'Revoke']) {
      await page.getByRole('button', { name, exact: true }).click()
      await page.getByRole('dialog').waitFor()
      expect(await violations(page)).toEqual([])
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'detached' })
    }
    await page.goto(served.url('/keys'))
    await page.getByRole('button', { name: 'More filters' }).click()
    await page.getByLabel('Select Staging').check()
    await page.getByRole('button', { name: 'Revoke selected' }).click()
    await page.getByText('Dry run').waitFor()
    expect(await violations(page)).toEqual([])
  }, 120_000)
})

test('no page scrolls sideways at 360 px, and Sign out is in view', async () => {
  const page = await signedIn('', undefined, { viewport: { width: 360, height: 740 } })
  const wide: string[] = []
  for (const path of PAGES) {
    await page.goto(served.url(at(path)))
    await settled(page)
    const excess = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    )
    if (excess > 0) wide.push(`${path}: ${excess}`)
    const button = page.getByRole('button', { name: 'Sign out' })
    const box = (await button.boundingBox())!
    expect(box.x + box.width).toBeLessThanOrEqual(360)
  }
  expect(wide).toEqual([])
  await page.goto(served.url('/keys'))
  await page.getByRole('button', { name: 'More filters' }).click()
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360)
}, 120_000)

test('at 200 % of the size of text, nothing is cut off sideways', async () => {
  const page = await signedIn('', undefined, { viewport: { width: 640, height: 450 } })
  for (const path of PAGES) {
    await page.goto(served.url(at(path)))
    await settled(page)
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(640)
  }
}, 120_000)
