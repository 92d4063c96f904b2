import { beforeAll, describe, expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { settled, useBrowser } from './support/browser.js'
import { useConsole } from './support/console.js'

const served = useConsole()
const { signedIn } = useBrowser(served)

const names = async (page: Page): Promise<string[]> => {
  await settled(page)
  return page.locator('table .name-link').allInnerTexts()
}

beforeAll(async () => {
  const soon = new Date(Date.now() + 10 * 86_400_000)
  await addon.createApiKey(
    { name: 'Alpha search', clientId: 'acme', scopes: ['docs:read'], metadata: { team: 'a' } },
    { actor: 'ann' },
  )
  await addon.createApiKey({
    name: 'Beta',
    clientId: 'globex',
    description: 'for search',
    expiresAt: soon,
  })
  const { id } = await addon.createApiKey({ name: 'Gamma', clientId: 'globex' })
  await addon.revokeApiKey({ id, reason: 'unused' })
  await addon.createApiKey({ name: 'Delta', clientId: 'acme', isActive: false })
})

describe('the list', () => {
  test('shows all keys, the newest first, each with a link to its page', async () => {
    const page = await signedIn('/keys')
    expect(await names(page)).toEqual(['Delta', 'Gamma', 'Beta', 'Alpha search'])
    const link = page.getByRole('link', { name: 'Beta', exact: true })
    expect(await link.getAttribute('title')).toBe('Beta')
    await link.click()
    await page.getByRole('heading', { level: 1, name: 'Beta' }).waitFor()
    expect(page.url()).toMatch(/\/keys\/[0-9a-f-]{36}$/)
    await page.goBack()
    expect(await names(page)).toHaveLength(4)
  })

  test('is searched, and the search is in the address', async () => {
    const page = await signedIn('/keys')
    await page.getByLabel('Search keys').fill('sear')
    await eventually(async () =>
      expect((await names(page)).sort()).toEqual(['Alpha search', 'Beta']),
    )
    expect(page.url()).toBe(served.url('/keys?search=sear'))
    await page.reload()
    expect((await names(page)).sort()).toEqual(['Alpha search', 'Beta'])
    expect(await page.getByLabel('Search keys').inputValue()).toBe('sear')
    await page.getByLabel('Search keys').fill('no such key')
    await page.getByText('No key matches').waitFor()
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await eventually(async () => expect(await names(page)).toHaveLength(4))
  })

  test.each([
    ['status=revoked', ['Gamma']],
    ['clientId=acme', ['Delta', 'Alpha search']],
    ['isActive=false', ['Delta', 'Gamma']],
    ['createdBy=ann', ['Alpha search']],
    ['createdAfter=2999-01-01T00:00:00Z', []],
    [
      'createdBefore=2999-01-01T00:00:00Z&sort=name&order=asc',
      ['Alpha search', 'Beta', 'Delta', 'Gamma'],
    ],
    ['expiresBefore=2999-01-01T00:00:00Z', ['Beta']],
    [
      'unusedSince=2999-01-01T00:00:00Z&sort=name&order=desc',
      ['Gamma', 'Delta', 'Beta', 'Alpha search'],
    ],
    ['scope=docs:read', ['Alpha search']],
    ['metadata={"team":"a"}', ['Alpha search']],
  ])('is a view by its address: %s', async (query, expected) => {
    const page = await signedIn(`/keys?${query}`)
    expect(await names(page)).toEqual(expected)
  })

  test('is filtered and sorted by hand', async () => {
    const page = await signedIn('/keys')
    await page.getByLabel('Status').selectOption('active')
    await eventually(async () => expect(await names(page)).toEqual(['Beta', 'Alpha search']))
    await page.getByRole('button', { name: 'More filters' }).click()
    await page.getByLabel('Scope', { exact: true }).fill('docs:read')
    await eventually(async () => expect(await names(page)).toEqual(['Alpha search']))
    await page.getByRole('button', { name: 'Remove the filter Scope' }).click()
    await page.getByRole('button', { name: 'Remove the filter Status' }).click()
    await page.getByRole('button', { name: 'Name', exact: true }).click()
    await eventually(async () =>
      expect(await names(page)).toEqual(['Alpha search', 'Beta', 'Delta', 'Gamma']),
    )
    expect(await page.getByRole('columnheader', { name: 'Name' }).getAttribute('aria-sort')).toBe(
      'ascending',
    )
    await page.getByLabel('Metadata').fill('{"team": "a"}')
    await eventually(async () => expect(await names(page)).toEqual(['Alpha search']))
    await page.getByRole('button', { name: 'Clear all' }).click()
    await eventually(async () => expect(page.url()).toBe(served.url('/keys')))
  })

  test('is exported with its filters, and cells that spreadsheets would run are not', async () => {
    await addon.createApiKey({ name: '=HYPERLINK("https://evil.example")', clientId: 'csv' })
    const page = await signedIn('/keys?clientId=csv')
    await settled(page)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Export CSV' }).click(),
    ])
    expect(download.suggestedFilename()).toMatch(/\.csv$/)
    const text = await (
      await download.createReadStream()
    )
      .toArray()
      .then((parts) => Buffer.concat(parts).toString())
    const lines = text.trim().split(/\r?\n/)
    expect(lines).toHaveLength(2)
    expect(lines[1]).toContain(`'=HYPERLINK`)
    expect(lines[1]).not.toMatch(/(^|,)"?=/)
  })
})

test('a whole key that is pasted into the search is looked up, and never in the address', async () => {
  const { key, id } = await addon.createApiKey({ name: 'Pasted', clientId: 'pasted' })
  const page = await signedIn('/keys')
  const addresses: string[] = []
  page.on('framenavigated', (frame) => addresses.push(frame.url()))
  await page.getByLabel('Search keys').fill(key)
  await page.getByRole('heading', { level: 1, name: 'Pasted' }).waitFor()
  expect(page.url()).toBe(served.url(`/keys/${id}`))
  expect(addresses.join()).not.toContain(key)
})

describe('a selection', () => {
  test('is revoked after a dry run', async () => {
    for (const name of ['One', 'Two', 'Three']) await addon.createApiKey({ name, clientId: 'bulk' })
    const page = await signedIn('/keys?clientId=bulk')
    await page.getByLabel('Select One').check()
    await page.getByLabel('Select Two').check()
    await page.getByText('2 keys selected').waitFor()
    await page.getByRole('button', { name: 'Revoke selected' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('Dry run: 2 keys would be revoked').waitFor()
    const before = await addon.listApiKeys({ clientId: 'bulk', status: 'revoked' })
    expect(before.keys).toEqual([])
    await dialog.getByLabel('Reason').selectOption({ label: 'Cessation of operation' })
    await dialog.getByRole('button', { name: 'Revoke 2 keys' }).click()
    await dialog.waitFor({ state: 'detached' })
    const { keys } = await addon.listApiKeys({ clientId: 'bulk', sort: 'name', order: 'asc' })
    expect(keys.map(({ name, revokedReason }) => [name, revokedReason])).toEqual([
      ['One', 'cessation'],
      ['Three', null],
      ['Two', 'cessation'],
    ])
  })

  test('of all that match is revoked by the filter, if they are as many as were counted', async () => {
    for (let at = 0; at < 60; at += 1)
      await addon.createApiKey({ name: `Key ${at}`, clientId: 'many' })
    const page = await signedIn('/keys?clientId=many')
    await page.getByLabel('Select all keys on this page').check()
    await page.getByText('50 keys selected').waitFor()
    await page.getByRole('button', { name: 'Revoke all that match the filters' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('Dry run: 60 keys would be revoked').waitFor()
    await addon.createApiKey({ name: 'In between', clientId: 'many' })
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('button', { name: 'Revoke all that match the filters' }).click()
    await dialog.getByText('Dry run: 61 keys would be revoked').waitFor()
    await dialog.getByRole('button', { name: 'Revoke 61 keys' }).click()
    await dialog.waitFor({ state: 'detached' })
    expect((await addon.listApiKeys({ clientId: 'many', status: 'active' })).keys).toEqual([])
  })
})

test('pages are turned forwards and back', async () => {
  for (let at = 0; at < 60; at += 1)
    await addon.createApiKey({ name: `Page ${String(at).padStart(2, '0')}`, clientId: 'pages' })
  const page = await signedIn('/keys?clientId=pages&sort=name&order=asc')
  expect(await names(page)).toHaveLength(50)
  await page.getByRole('button', { name: 'Next page' }).click()
  await eventually(async () => expect(await names(page)).toHaveLength(10))
  const second = await names(page)
  await page.reload()
  expect(await names(page)).toEqual(second)
  await page.getByRole('button', { name: 'First page' }).click()
  await eventually(async () => expect((await names(page))[0]).toBe('Page 00'))
})
