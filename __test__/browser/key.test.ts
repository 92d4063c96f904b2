import { describe, expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { kept, settled, useBrowser } from './support/browser.js'
import { useConsole } from './support/console.js'

const served = useConsole()
const { signedIn, reading, expecting } = useBrowser(served)

const create = (fields: object = {}) =>
  addon.createApiKey({ name: 'Production', clientId: 'acme', ...fields })

/** Takes the key that is shown once, and says that it is saved. */
async function take(page: Page): Promise<string> {
  const shown = page.getByTestId('issued-key')
  await shown.or(page.getByRole('alert')).first().waitFor()
  if (!(await shown.isVisible())) throw new Error(await page.getByRole('alert').innerText())
  const key = await shown.innerText()
  await page.getByRole('button', { name: 'Copy', exact: true }).click()
  await page.getByRole('button', { name: 'Done' }).click()
  await page.getByRole('button', { name: 'I have saved it' }).click()
  await shown.waitFor({ state: 'detached' })
  return key
}

describe('a new key', () => {
  test('is made with a name and a client, shown once, and nowhere afterwards', async () => {
    const page = await signedIn('/keys')
    await page.getByRole('link', { name: 'Create key' }).click()
    await page.getByRole('heading', { level: 1, name: 'Create key' }).waitFor()
    await page.getByLabel('Name').fill('From the console')
    await page.getByLabel('Client ID').fill('acme')
    await page.getByRole('button', { name: 'Create key' }).click()
    const key = await take(page)
    expect(await addon.verifyApiKey(key)).toMatchObject({ valid: true, clientId: 'acme' })
    await page.getByRole('heading', { level: 1, name: 'From the console' }).waitFor()
    await settled(page)
    expect(await kept(page)).not.toContain(key.slice(-40))
    await page.goBack()
    await settled(page)
    expect(await kept(page)).not.toContain(key.slice(-40))
  })

  test('is not lost by Escape, the Back button or a link', async () => {
    const page = await signedIn('/keys')
    await page.getByRole('link', { name: 'Create key' }).click()
    await page.getByLabel('Name').fill('Careful')
    await page.getByLabel('Client ID').fill('acme')
    await page.getByRole('button', { name: 'Create key' }).click()
    await page.getByTestId('issued-key').waitFor()
    for (const leave of [
      () => page.keyboard.press('Escape'),
      () => page.keyboard.press('Escape'),
      () => page.evaluate(() => history.back()),
    ]) {
      await leave()
      await page.getByRole('button', { name: 'Not yet' }).click()
      expect(await page.getByTestId('issued-key').isVisible()).toBe(true)
    }
    await take(page)
  })

  test('has all that the form says', async () => {
    await addon.setRole({ name: 'editor', scopes: ['docs:write'] })
    const page = await signedIn('/keys/new?clientId=globex')
    await page.getByLabel('Name').fill('Everything')
    expect(await page.getByLabel('Client ID').inputValue()).toBe('globex')
    await page.getByLabel('Environment').selectOption('test')
    await page.getByLabel('Description').fill('A note')
    await page.getByRole('button', { name: 'Reading only' }).click()
    await page.getByLabel('Other scopes').fill('docs:*\nbilling:read')
    await page.getByLabel('editor').check()
    await page.getByLabel('Expires').selectOption('30')
    await page.getByLabel('Days without use').fill('14')
    await page.getByLabel('Addresses').fill('203.0.113.0/24\n2001:db8::1')
    await page.getByLabel('Rate limit').fill('100')
    await page.getByLabel('Per', { exact: true }).selectOption('3600')
    await page.getByRole('button', { name: 'Add limit' }).click()
    await page.getByLabel('Limit', { exact: true }).fill('tokens')
    await page.getByLabel('Units').fill('5000')
    await page.getByRole('button', { name: 'Add quota' }).click()
    await page.getByLabel('Quota', { exact: true }).fill('pages')
    await page.getByLabel('Units').nth(1).fill('1000000')
    await page.getByLabel('Metadata').fill('{"team": "search"}')
    await page.getByRole('button', { name: 'Create key' }).click()
    await take(page)
    const { keys } = await addon.listApiKeys({ search: 'Everything' })
    expect(keys[0]).toMatchObject({
      clientId: 'globex',
      environment: 'test',
      description: 'A note',
      roles: ['editor'],
      maxIdleDays: 14,
      allowedIps: ['203.0.113.0/24', '2001:db8::1'],
      rateLimit: 100,
      rateLimitWindowSeconds: 3_600,
      limits: [{ name: 'tokens', limit: 5_000, windowSeconds: 60 }],
      quotas: [{ name: 'pages', amount: 1_000_000, period: 'month' }],
      metadata: { team: 'search' },
    })
    expect([...keys[0]!.scopes].sort()).toEqual([
      'billing:read',
      'docs:*',
      'docs:read',
      'search:query',
    ])
    const days = (keys[0]!.expiresAt!.getTime() - Date.now()) / 86_400_000
    expect(Math.round(days)).toBe(30)
  })

  test('by a preset for web pages is publishable, with origins', async () => {
    const page = await signedIn('/keys/new')
    await page.getByRole('button', { name: 'Web page' }).click()
    await page.getByLabel('Name').fill('Site')
    await page.getByLabel('Client ID').fill('acme')
    await page.getByLabel('Origins').fill('https://www.acme.example')
    await page.getByRole('button', { name: 'Create key' }).click()
    await take(page)
    const { keys } = await addon.listApiKeys({ search: 'Site' })
    expect(keys[0]).toMatchObject({
      kind: 'publishable',
      origins: ['https://www.acme.example'],
      rateLimit: 60,
    })
  })

  test('that the server refuses is told at the field', async () => {
    const page = await signedIn('/keys/new')
    expecting(page, /status of 400/)
    await page.getByLabel('Name').fill('Wrong')
    await page.getByLabel('Client ID').fill('acme')
    await page.getByLabel('Addresses').fill('not an address')
    await page.getByRole('button', { name: 'Create key' }).click()
    await page.getByRole('alert').waitFor()
    expect(await page.getByLabel('Addresses').getAttribute('aria-invalid')).toBe('true')
    expect((await addon.listApiKeys({ search: 'Wrong' })).keys).toEqual([])
  })
})

describe('a key', () => {
  test('shows its state, its limits, its usage and its audit trail', async () => {
    const { id, key } = await create({
      rateLimit: 100,
      quotas: [{ name: 'pages', amount: 10, period: 'month' }],
    })
    for (let use = 0; use < 4; use += 1) await addon.verifyApiKey(key, { tag: 'GET /documents' })
    await addon.verifyApiKey(key, { scopes: ['billing:read'] })
    await addon.flush()
    const page = await signedIn(`/keys/${id}`)
    const chart = page.getByTestId('usage-chart')
    await chart.locator('canvas').waitFor()
    expect(await chart.getAttribute('role')).toBe('img')
    expect(await chart.getAttribute('aria-label')).toMatch(
      /^Usage of Production by outcome.*5 verifies.*Accepted 4, Insufficient scope 1/,
    )
    const { width, height } = (await chart.boundingBox())!
    expect([width >= 200, height >= 60]).toEqual([true, true])
    const figures = page.getByRole('group', { name: 'Figures of the chart' })
    expect(await figures.getByRole('columnheader').allInnerTexts()).toEqual([
      'Beginning',
      'Accepted',
      'Insufficient scope',
    ])
    await page.getByRole('button', { name: 'Tag', exact: true }).click()
    await eventually(async () =>
      expect(await chart.getAttribute('aria-label')).toMatch(/by tag.*GET \/documents 4/),
    )
    expect(
      await page.getByRole('meter', { name: 'Rate limit' }).getAttribute('aria-valuemax'),
    ).toBe('100')
    expect(await page.getByRole('meter', { name: 'pages' }).getAttribute('aria-valuetext')).toMatch(
      /^4 of 10/,
    )
    expect(await page.getByRole('heading', { name: 'Audit trail' }).count()).toBe(1)
    await page.getByText('Key created').waitFor()
    const titles = await page
      .locator('time')
      .evaluateAll((all) => all.map(({ title }: any) => title))
    expect(titles.length).toBeGreaterThan(3)
    for (const title of titles) expect(title).toMatch(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/)
  })

  test('is rotated with a grace period, whose progress is shown', async () => {
    const { id, key } = await create()
    const page = await signedIn(`/keys/${id}`)
    await page.getByRole('button', { name: 'Rotate' }).click()
    await page.getByLabel('Grace period').selectOption({ label: '1 hour' })
    await page.getByRole('button', { name: 'Rotate key' }).click()
    const rotated = await take(page)
    expect((await addon.verifyApiKey(key)).valid).toBe(true)
    expect((await addon.verifyApiKey(rotated)).valid).toBe(true)
    await addon.flush()
    await page.getByText('Rotation under way').waitFor()
    await page.getByText('The new key was first used').waitFor()
    await page.getByText('The old key was last used').waitFor()
    expect(await kept(page)).not.toContain(rotated.slice(-40))
    await page.getByRole('button', { name: 'End the grace period now' }).click()
    await eventually(async () => expect((await addon.verifyApiKey(key)).valid).toBe(false))
    await page.getByText('Rotation under way').waitFor({ state: 'detached' })
  })

  test('is suspended, and the suspension is lifted', async () => {
    const { id, key } = await create()
    const page = await signedIn(`/keys/${id}`)
    await page.getByRole('button', { name: 'Suspend' }).click()
    await page.getByRole('button', { name: 'Lift suspension' }).waitFor()
    expect((await addon.getApiKey(id))!.status).toBe('disabled')
    await eventually(async () => expect((await addon.verifyApiKey(key)).valid).toBe(false))
    await page.getByRole('button', { name: 'Lift suspension' }).click()
    await page.getByRole('button', { name: 'Suspend' }).waitFor()
    await eventually(async () => expect((await addon.verifyApiKey(key)).valid).toBe(true))
  })

  test('that a limit has suspended is let off', async () => {
    const { id } = await create()
    await served.sql(
      `UPDATE "ApiKey" SET "suspendedUntil" = now() + interval '1 day' WHERE id = $1`,
      [id],
    )
    const page = await signedIn(`/keys/${id}`)
    await page.getByText('because it went over a limit').waitFor()
    await page.getByRole('button', { name: 'Lift suspension' }).click()
    await page.getByRole('button', { name: 'Suspend' }).waitFor()
    expect((await addon.getApiKey(id))!.suspendedUntil).toBeNull()
  })

  test('is revoked with a reason, restored, and deleted', async () => {
    const { id, key } = await create()
    const page = await signedIn(`/keys/${id}`)
    await page.getByRole('button', { name: 'Revoke' }).click()
    await page.getByLabel('Reason').selectOption({ label: 'Superseded' })
    await page.getByLabel('Note').fill('The new one is there')
    await page.getByRole('button', { name: 'Revoke key' }).click()
    await page.getByText(/Reason: Superseded/).waitFor()
    expect(await addon.verifyApiKey(key)).toMatchObject({ code: 'REVOKED' })
    await page.getByRole('button', { name: 'Restore' }).click()
    await page.getByRole('button', { name: 'Rotate' }).waitFor()
    await eventually(async () => expect((await addon.verifyApiKey(key)).valid).toBe(true))

    await page.getByRole('button', { name: 'Revoke' }).click()
    await page.getByLabel('Reason').selectOption({ label: 'Compromised' })
    await page.getByRole('button', { name: 'Revoke key' }).click()
    await page.getByText('It cannot be restored').waitFor()
    expect(await page.getByRole('button', { name: 'Restore' }).count()).toBe(0)
    await page.getByRole('button', { name: 'Delete' }).click()
    const confirm = page.getByRole('dialog').getByRole('button', { name: 'Delete key' })
    expect(await confirm.isDisabled()).toBe(true)
    await page.getByLabel('Type “delete” to confirm').fill('delete')
    await confirm.click()
    await page.getByRole('heading', { level: 1, name: 'Keys' }).waitFor()
    expect(await addon.getApiKey(id)).toBeNull()
  })

  test('is edited: only what was changed is sent', async () => {
    const { id } = await create({ rateLimit: 10, scopes: ['docs:read'], metadata: { kept: true } })
    const page = await signedIn(`/keys/${id}`)
    await page.getByRole('link', { name: 'Edit' }).click()
    await page.getByLabel('Name').fill('Renamed')
    const [request] = await Promise.all([
      page.waitForRequest((sent) => sent.method() === 'PATCH'),
      page.getByRole('button', { name: 'Save' }).click(),
    ])
    expect(request.postDataJSON()).toEqual({ id, name: 'Renamed' })
    await page.getByRole('heading', { level: 1, name: 'Renamed' }).waitFor()
    expect(await addon.getApiKey(id)).toMatchObject({
      rateLimit: 10,
      scopes: ['docs:read'],
      metadata: { kept: true },
    })
  })

  test('is checked by its plaintext, which is no use of it and stays nowhere', async () => {
    const { id, key } = await create({ rateLimit: 5 })
    const page = await reading(`/keys/${id}`)
    await page.getByLabel('Check a plaintext').fill(key)
    await page.getByRole('button', { name: 'Check', exact: true }).click()
    await page.getByText('Would be accepted', { exact: true }).waitFor()
    expect(await kept(page)).not.toContain(key.slice(-40))
    await addon.flush()
    expect((await addon.getApiKey(id))!.usageCount).toBe(0)
  })

  test('that was deleted is told as such', async () => {
    const page = await signedIn('/keys/no-such-key')
    expecting(page, /status of 404/)
    await page.getByText('There is no such key').waitFor()
  })
})
