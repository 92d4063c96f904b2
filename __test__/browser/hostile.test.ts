import { beforeAll, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { settled, useBrowser } from './support/browser.js'
import { useConsole } from './support/console.js'

const served = useConsole()
const { signedIn } = useBrowser(served)

const SCRIPT = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
const BIDI = 'abc \u202egnp.exe\u2066 שלום'
const EMOJI = '🧑‍🚀'.repeat(51)
const KEYS = '🔑'.repeat(255)
const TEXTS = [SCRIPT, BIDI, EMOJI, KEYS, '${window.hacked=1}', `'"><svg onload=window.hacked=1>`]

const ids: string[] = []

beforeAll(async () => {
  await addon.migrate()
  for (const text of TEXTS) expect([...text].length).toBeLessThanOrEqual(255)
  for (const [place, text] of TEXTS.entries()) {
    // Others can write what the package refuses: names with marks of direction, for example.
    const { id, key } = await addon.createApiKey(
      { name: `Key ${place}`, clientId: `client-${place}` },
      { actor: `by ${place}` },
    )
    await addon.verifyApiKey(key, { tag: `tag ${place}` })
    await addon.setClient({ clientId: `client-${place}`, name: `Client ${place}` })
    await served.sql(
      `UPDATE "ApiKey" SET "name" = $2, "description" = $2, "clientId" = $3, "createdBy" = $2, "metadata" = $4 WHERE "id" = $1`,
      [id, text, [...text].slice(0, 255).join(''), JSON.stringify({ [text]: text })],
    )
    await served.sql('UPDATE sophra_api_keys.clients SET name = $2 WHERE client_id = $1', [
      `client-${place}`,
      text,
    ])
    await served.sql('UPDATE "AdminToken" SET "description" = $1', [text])
    ids.push(id)
  }
  const { key } = await addon.createApiKey({ name: 'Leaked', clientId: 'leaks' })
  await addon.reportLeakedKeys(
    [{ key, url: 'javascript:window.hacked=1', source: SCRIPT.slice(0, 100) }],
    { action: 'notify' },
  )
  await addon.reportLeakedKeys([{ key, url: 'https://paste.example/42', source: 'paste' }], {
    action: 'notify',
  })
  await addon.flush()
})

test('texts of users are shown as texts', async () => {
  const page = await signedIn('/keys')
  await settled(page)
  for (const text of TEXTS) {
    const link = page
      .locator('a.name-link', { has: page.locator(`bdi`) })
      .filter({ hasText: text.slice(0, 40) })
    expect(await link.locator('bdi').evaluate((one) => one.textContent)).toBe(text)
    expect(await link.getAttribute('title')).toBe(text)
  }
  for (const id of ids) {
    await page.goto(served.url(`/keys/${id}`))
    await settled(page)
    const text = TEXTS[ids.indexOf(id)]!
    expect(await page.locator('h1').evaluate((one) => one.textContent)).toBe(text)
    await page
      .getByRole('link', { name: text, exact: true })
      .first()
      .click()
      .catch(() => {})
  }
  for (const path of ['', '/clients', '/admin-tokens', '/audit-log', '/keys/new']) {
    await page.goto(served.url(path))
    await settled(page)
  }
  expect(await page.evaluate(() => (window as any).hacked)).toBeUndefined()
})

test('a client whose id is any text has a page of its own', async () => {
  const page = await signedIn('/clients')
  for (const clientId of ['.', '..', 'a/b', 'a%2Fb', 'ü?#&', '-', `${SCRIPT}!`]) {
    await addon.setClient({ clientId, name: null })
    await page.goto(served.url('/clients'))
    await settled(page)
    await page
      .getByRole('group', { name: 'Clients with settings' })
      .getByTitle(clientId, { exact: true })
      .click()
    await page.getByRole('heading', { level: 1, name: clientId, exact: true }).waitFor()
    await page.reload()
    await settled(page)
    expect(await page.locator('h1').evaluate((one) => one.textContent)).toBe(clientId)
    await page.getByText('Nothing is set for this client').waitFor({ state: 'detached' })
  }
})

test('where a key leaked is a link only for http and https', async () => {
  const page = await signedIn('/audit-log?type=key.leaked')
  await settled(page)
  expect(await page.locator('tbody tr').count()).toBe(2)
  const link = page.getByRole('link', { name: 'https://paste.example/42' })
  expect(await link.getAttribute('href')).toBe('https://paste.example/42')
  expect(await link.getAttribute('rel')).toContain('noreferrer')
  await page.getByText('javascript:window.hacked=1').waitFor()
  expect(await page.locator('a[href^="javascript"]').count()).toBe(0)
})

test('an emoji name of the greatest length makes no page wider', async () => {
  const page = await signedIn('/keys', undefined, { viewport: { width: 360, height: 740 } })
  for (const path of ['/keys', ...ids.map((id) => `/keys/${id}`), '/clients', '/audit-log', '']) {
    await page.goto(served.url(path))
    await settled(page)
    expect(await page.evaluate(() => document.documentElement.scrollWidth), path).toBe(360)
  }
})
