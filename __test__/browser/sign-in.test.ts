import { createRequire } from 'node:module'
import { describe, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { kept, PLAIN_HOST, settled, useBrowser } from './support/browser.js'
import { useConsole } from './support/console.js'

const { createConsoleLink } = createRequire(import.meta.url)('../../lib/console/link.js') as {
  createConsoleLink(of: { url: string; tokenId?: string }): Promise<{ url: string }>
}

const served = useConsole()
const { visit, signedIn, expecting } = useBrowser(served)

const h1 = (page: import('playwright-core').Page) => page.locator('h1').innerText()

describe('an admin token', () => {
  test('signs in, and is nowhere afterwards', async () => {
    const { token } = await served.token()
    const page = await visit('')
    await page.getByLabel('Admin token').fill(token)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
    await settled(page)
    expect(page.url()).toBe(served.url())
    expect(await kept(page)).not.toContain(token.slice(-40))
    const [cookie, ...others] = await page.context().cookies()
    expect(others).toEqual([])
    expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Strict', path: '/' })
    expect(cookie!.name).toMatch(/^__Host-/)
    expect(token).not.toContain(cookie!.value)
  })

  test('that is wrong is told, without an error in the console', async () => {
    const page = await visit('')
    await page.getByLabel('Admin token').fill('wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('alert').waitFor()
    expect(await page.getByRole('alert').innerText()).toMatch(/not valid/)
    expect(await page.getByLabel('Admin token').inputValue()).toBe('')
    expect(
      await page.getByLabel('Admin token').evaluate((field) => field === document.activeElement),
    ).toBe(true)
  })

  test('leads to the page that was asked for', async () => {
    const page = await signedIn('/keys?status=active')
    expect(page.url()).toBe(served.url('/keys?status=active'))
    expect(await h1(page)).toBe('Keys')
  })
})

test('nobody is led to another site after signing in', async () => {
  for (const next of [
    'https://evil.example/',
    '//evil.example/',
    '/elsewhere',
    'javascript:alert(1)',
  ]) {
    const page = await signedIn(`/sign-in?next=${encodeURIComponent(next)}`)
    expect(page.url()).toBe(served.url())
  }
})

describe('a link with a code', () => {
  test('signs in once, and its code is not in the address or the history', async () => {
    const { id } = await served.token()
    const { url } = await createConsoleLink({ url: served.url(), tokenId: id })
    const code = new URL(url).hash.slice('#code='.length)
    const page = await visit(new URL(url).hash)
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
    await settled(page)
    expect(page.url()).toBe(served.url())
    expect(await kept(page)).not.toContain(code)
    await page.goto('about:blank')
    await page.goBack()
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
    expect(page.url()).toBe(served.url())

    const other = await visit(`#code=${code}`)
    await other.getByRole('alert').waitFor()
    expect(await other.getByRole('alert').innerText()).toMatch(/used already/)
    expect(other.url()).toMatch(/\/sign-in$/)
  })
})

test('a browser that does not take the cookie is told so, and nothing loops', async () => {
  const { token } = await served.token()
  const page = await visit('')
  // Browsers take secure cookies over plain http only from this machine itself.
  await page.goto(served.url().replace('localhost', PLAIN_HOST))
  const posts: string[] = []
  page.on('request', (request) => request.method() === 'POST' && posts.push(request.url()))
  await page.getByLabel('Admin token').fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('alert').waitFor()
  expect(await page.getByRole('alert').innerText()).toMatch(
    /would not keep the session cookie.*https/,
  )
  expect(posts).toHaveLength(0)
  expect(page.url()).toMatch(/\/sign-in$/)
})

describe('the end of a session', () => {
  test('by Sign out', async () => {
    const page = await signedIn('/keys')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor()
    expect(await page.getByRole('status').first().innerText()).toMatch(/signed out/)
    expect(await page.context().cookies()).toEqual([])
    await page.goto(served.url('/keys'))
    await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor()
  })

  test('by the revocation of its token leads to sign-in, with a word about it, and back', async () => {
    const { id, token } = await served.token()
    const page = await visit('/clients')
    await page.getByLabel('Admin token').fill(token)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { level: 1, name: 'Clients' }).waitFor()
    await settled(page)
    expecting(page, /status of 401/)
    await addon.revokeAdminToken(id)
    await page.getByRole('link', { name: 'Keys', exact: true }).click()
    await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor()
    expect(await page.getByText('Your session has ended').count()).toBe(1)

    const { token: another } = await served.token()
    await page.getByLabel('Admin token').fill(another)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { level: 1, name: 'Keys' }).waitFor()
    expect(page.url()).toBe(served.url('/keys'))
  })

  test('is seen on a page that nobody touches', async () => {
    const { id, token } = await served.token()
    const page = await visit('/roles')
    await page.getByLabel('Admin token').fill(token)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { level: 1, name: 'Roles' }).waitFor()
    expecting(page, /status of 401/)
    await addon.revokeAdminToken(id)
    await eventually(async () => expect(await h1(page)).toBe('Sign in'), 20_000)
  })
})
