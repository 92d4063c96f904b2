import type { Route } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { startReceiver } from '../support/receiver.js'
import { kept, settled, useBrowser } from './support/browser.js'
import { useConsole } from './support/console.js'

const served = useConsole()
const { signedIn } = useBrowser(served)

describe('clients', () => {
  test('are listed, with those that have keys alone', async () => {
    await addon.setClient({ clientId: 'acme', name: 'Acme Corporation', maxKeys: 5 })
    await addon.createApiKey({ name: 'A', clientId: 'acme' })
    await addon.createApiKey({ name: 'B', clientId: 'no-row' })
    const page = await signedIn('/clients')
    await page.getByRole('link', { name: 'no-row' }).waitFor()
    expect(await page.getByRole('row', { name: /Acme Corporation/ }).innerText()).toMatch(
      /1\s+of\s+5/,
    )
    await page.getByLabel('Search clients').fill('corpor')
    await eventually(() => expect(page.url()).toBe(served.url('/clients?search=corpor')))
    await page.getByRole('link', { name: 'Acme Corporation' }).click()
    await page.getByRole('heading', { level: 1, name: 'Acme Corporation' }).waitFor()
    expect(page.url()).toBe(served.url('/clients/acme'))
    await page.getByRole('link', { name: 'A', exact: true }).waitFor()
  })

  test('are set, disabled, enabled and deleted, and the dialogs say what that does', async () => {
    await addon.createApiKey({ name: 'C', clientId: 'made/here?#' })
    const page = await signedIn('/clients')
    await page.getByRole('button', { name: 'Add client' }).click()
    await page.getByLabel('Client ID').fill('made/here?#')
    await page.getByRole('dialog').getByLabel('Name').fill('Made here')
    await page.getByRole('dialog').getByRole('button', { name: 'Add client' }).click()
    await page.getByRole('heading', { level: 1, name: 'Made here' }).waitFor()
    await page.reload()
    await page.getByRole('heading', { level: 1, name: 'Made here' }).waitFor()
    await settled(page)

    await page.getByRole('button', { name: 'Settings', exact: true }).click()
    await page.getByLabel('Most keys').fill('7')
    await page.getByLabel('Addresses').fill('203.0.113.0/24')
    await page.getByRole('button', { name: 'Add quota' }).click()
    await page.getByLabel('Quota', { exact: true }).fill('pages')
    await page.getByLabel('Units').fill('500')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('meter', { name: 'pages' }).waitFor()
    expect(await addon.getClient('made/here?#')).toMatchObject({
      name: 'Made here',
      maxKeys: 7,
      allowedIps: ['203.0.113.0/24'],
      quotas: [{ name: 'pages', amount: 500 }],
    })
    await page.getByRole('button', { name: 'Grant units' }).click()
    await page.getByLabel('Units', { exact: true }).fill('250')
    await page.getByRole('button', { name: 'Grant', exact: true }).click()
    await page.getByText('250 of them granted').waitFor()

    await page.getByRole('button', { name: 'Disable' }).click()
    await page.getByText(/1 key\), and of the clients below it, are refused/).waitFor()
    await page.getByRole('button', { name: 'Disable client' }).click()
    await page.getByRole('button', { name: 'Enable' }).click()
    await page.getByRole('button', { name: 'Disable' }).waitFor()
    expect((await addon.getClient('made/here?#'))!.isActive).toBe(true)

    await page.getByRole('button', { name: 'Delete settings' }).click()
    await page.getByText('Its keys stay (1 key)').waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete settings' }).click()
    await page.getByRole('heading', { level: 1, name: 'Clients' }).waitFor()
    expect(await addon.getClient('made/here?#')).toBeNull()
  })

  test('are asked for nothing while they are deleted, what was on its way included', async () => {
    const quotas = [{ name: 'pages', amount: 500, period: 'month' as const }]
    await addon.setClient({ clientId: 'going', name: 'Going', quotas })
    const page = await signedIn('/clients/going')
    await page.getByRole('meter', { name: 'pages' }).waitFor()
    const asked: Route[] = []
    await page.route('**/api/quotas?*', (route) => void asked.push(route))
    await page.getByRole('button', { name: 'Disable' }).click()
    await page.getByRole('button', { name: 'Disable client' }).click()
    await eventually(() => expect(asked).not.toEqual([]))

    // The client is gone while the console does not know it yet.
    await page.route('**/api/clients?*', async (route) => {
      if (route.request().method() !== 'DELETE') return route.continue()
      const response = await route.fetch()
      await Promise.all(asked.map((quota) => quota.continue().catch(() => {})))
      await Promise.all(asked.map((quota) => quota.request().response()))
      await route.fulfill({ response })
    })
    await page.getByRole('button', { name: 'Delete settings' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete settings' }).click()
    await page.getByRole('heading', { level: 1, name: 'Clients' }).waitFor()
    await settled(page)
    for (const quota of asked) expect(await quota.request().response()).toBeNull()
  })
})

test('roles are created, changed and deleted', async () => {
  const page = await signedIn('/roles')
  await page.getByText('There are no roles yet').waitFor()
  await page.getByRole('button', { name: 'Create role' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('editor')
  await dialog.getByLabel(/Write documents/).check()
  await dialog.getByLabel('Other scopes').fill('billing:*')
  await dialog.getByRole('button', { name: 'Create role' }).click()
  await page.getByRole('button', { name: 'Edit editor' }).click()
  expect(await addon.listRoles()).toEqual([{ name: 'editor', scopes: ['docs:write', 'billing:*'] }])
  await dialog.getByLabel(/Write documents/).uncheck()
  await dialog.getByRole('button', { name: 'Save role' }).click()
  await dialog.waitFor({ state: 'detached' })
  expect(await addon.listRoles()).toEqual([{ name: 'editor', scopes: ['billing:*'] }])
  await page.getByRole('button', { name: 'Delete editor' }).click()
  await dialog.getByRole('button', { name: 'Delete role' }).click()
  await page.getByText('There are no roles yet').waitFor()
})

test('admin tokens are created, rotated and revoked; each is shown once', async () => {
  const page = await signedIn('/admin-tokens')
  const dialog = page.getByRole('dialog')
  const take = async (): Promise<string> => {
    const token = await page.getByTestId('issued-token').innerText()
    await page.getByRole('button', { name: 'Done' }).click()
    await page.getByRole('button', { name: 'I have saved it' }).click()
    await dialog.waitFor({ state: 'detached' })
    expect(await kept(page)).not.toContain(token.slice(-40))
    return token
  }
  await page.getByRole('button', { name: 'Create admin token' }).click()
  await dialog.getByLabel('Name').fill('Deploy')
  await dialog.getByLabel('keys:write').check()
  await dialog.getByLabel('Lives for').selectOption('7')
  await dialog.getByRole('button', { name: 'Create admin token' }).click()
  const token = await take()
  expect(await addon.verifyAdminToken(token)).toMatchObject({
    valid: true,
    permissions: ['keys:write'],
  })
  await page.getByRole('button', { name: 'Rotate Deploy' }).click()
  await dialog.getByLabel('Grace period').selectOption('0')
  await dialog.getByRole('button', { name: 'Rotate token' }).click()
  const rotated = await take()
  await eventually(async () => expect((await addon.verifyAdminToken(token)).valid).toBe(false))
  expect((await addon.verifyAdminToken(rotated)).valid).toBe(true)
  await page.getByRole('button', { name: 'Revoke Deploy' }).click()
  await dialog.getByRole('button', { name: 'Revoke token' }).click()
  await page
    .getByRole('row', { name: /Deploy/ })
    .getByText('Revoked')
    .waitFor()
  await page.getByLabel('Status').selectOption('active')
  await page.getByRole('row', { name: /Deploy/ }).waitFor({ state: 'detached' })
})

test('nobody is offered a permission that they do not hold', async () => {
  const page = await signedIn('/admin-tokens', [
    'admin-tokens:read',
    'admin-tokens:write',
    'keys:read',
  ])
  await page.getByRole('button', { name: 'Create admin token' }).click()
  const dialog = page.getByRole('dialog')
  const offered = await dialog.locator('.choices').getByRole('checkbox').count()
  expect(offered).toBe(3)
  expect(await dialog.getByText('Everything').count()).toBe(0)
})

test('webhooks are created with a secret, deliver, deliver again, and are deleted', async () => {
  const receiver = await startReceiver()
  try {
    const page = await signedIn('/webhooks')
    await page.getByRole('button', { name: 'Create webhook' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('URL').fill(receiver.url)
    await dialog.getByRole('button', { name: 'Create webhook' }).click()
    const secret = await page.getByTestId('issued-secret').innerText()
    expect(secret).toMatch(/^whsec_/)
    await page.getByRole('button', { name: 'Done' }).click()
    await page.getByRole('button', { name: 'I have saved it' }).click()
    await dialog.waitFor({ state: 'detached' })
    expect(await kept(page)).not.toContain(secret)
    await addon.createApiKey({ name: 'Noticed', clientId: 'hooks' })
    const row = page.getByRole('row', { name: /Key created/ })
    await row.getByText('Delivered').waitFor()
    const before = receiver.arrived.length
    await row.getByRole('button', { name: 'Redeliver' }).click()
    await eventually(() => expect(receiver.arrived.length).toBeGreaterThan(before))
    await page.getByRole('button', { name: /^Edit/ }).click()
    await dialog.getByLabel(/^Active/).uncheck()
    await dialog.getByRole('button', { name: 'Save webhook' }).click()
    await page.getByText('Paused').waitFor()
    await page.getByRole('button', { name: /^Delete/ }).click()
    await dialog.getByRole('button', { name: 'Delete webhook' }).click()
    await page.getByText('There are no webhooks yet').waitFor()
  } finally {
    await receiver.close()
  }
})

test('the audit log is filtered and exported', async () => {
  const { id } = await addon.createApiKey({ name: 'Audited', clientId: 'log' }, { actor: 'ben' })
  await addon.revokeApiKey({ id, reason: 'abuse', note: 'Too much' }, { actor: 'cleo' })
  await addon.flush()
  const page = await signedIn('/audit-log')
  await page.getByLabel('Key ID').fill(id)
  await eventually(async () => expect(await page.locator('tbody tr').count()).toBe(2))
  await page.getByLabel('Type').selectOption('key.revoked')
  await eventually(async () => expect(await page.locator('tbody tr').count()).toBe(1))
  expect(await page.locator('tbody tr').innerText()).toMatch(
    /Key revoked\s+Audited\s+by cleo.*Too much/s,
  )
  await page.reload()
  await eventually(async () => expect(await page.locator('tbody tr').count()).toBe(1))
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Export CSV' }).click(),
  ])
  const parts = await (await download.createReadStream()).toArray()
  const lines = Buffer.concat(parts).toString().trim().split(/\r?\n/)
  expect(lines).toHaveLength(2)
  expect(lines[1]).toContain('key.revoked')
})

test('the overview shows what was verified, refused and needs attention', async () => {
  const soon = new Date(Date.now() + 5 * 86_400_000)
  const busy = await addon.createApiKey({ name: 'Busy', clientId: 'over', expiresAt: soon })
  const held = await addon.createApiKey({ name: 'Held', clientId: 'over' })
  await addon.setClient({
    clientId: 'full',
    quotas: [{ name: 'pages', amount: 10, period: 'month' }],
  })
  const full = await addon.createApiKey({ name: 'Full', clientId: 'full' })
  for (let use = 0; use < 9; use += 1) await addon.verifyApiKey(full.key)
  for (let use = 0; use < 20; use += 1) await addon.verifyApiKey(busy.key)
  await addon.verifyApiKey(busy.key, { scopes: ['billing:read'] })
  await served.sql(
    `UPDATE "ApiKey" SET "suspendedUntil" = now() + interval '1 hour' WHERE id = $1`,
    [held.id],
  )
  await addon.flush()
  const page = await signedIn('')
  await page.getByTestId('usage-chart').locator('canvas').waitFor()
  const section = (name: string) => page.getByRole('region', { name, exact: true })
  await eventually(async () =>
    expect(await section('Refusals by reason').innerText()).toMatch(/Insufficient scope\s+1/),
  )
  await eventually(async () =>
    expect(await section('Top clients').innerText()).toMatch(/over\s+21/),
  )
  await eventually(async () => expect(await section('Top keys').innerText()).toMatch(/Busy\s+21/))
  await section('Suspended keys').getByRole('link', { name: 'Held' }).waitFor()
  await section('Keys that expire soon').getByRole('link', { name: 'Busy' }).waitFor()
  await section('Quotas near their end').getByRole('meter', { name: 'pages' }).waitFor()
  expect(await section('Health').innerText()).toMatch(/checks passed/)
})
