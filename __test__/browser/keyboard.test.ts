import { expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import { addon } from '../support/addon.js'
import { eventually } from '../support/eventually.js'
import { settled, useBrowser } from './support/browser.js'
import { useConsole } from './support/console.js'

const served = useConsole()
const { visit } = useBrowser(served)

const MOST_STEPS = 120

/** The name of what has the focus, as a reader would say it. */
const focused = (page: Page): Promise<string> =>
  page.evaluate(() => {
    const one = document.activeElement as HTMLElement | null
    if (!one) return ''
    const label = (one as HTMLInputElement).labels?.[0]?.innerText
    return (one.getAttribute('aria-label') ?? label ?? one.innerText ?? '').trim()
  })

/** Goes on with Tab until something of this name has the focus, which must be seen. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let step = 0; step < MOST_STEPS; step += 1) {
    if ((await focused(page)) === name) {
      const outline = await page.evaluate(() => {
        const style = getComputedStyle(document.activeElement!)
        return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0
      })
      expect(outline, `the focus on ${name} is not seen`).toBe(true)
      return
    }
    await page.keyboard.press('Tab')
  }
  throw new Error(`Tab does not come to ${name}`)
}

/** Takes the key that is shown once, by the keyboard. */
async function take(page: Page): Promise<string> {
  const key = await page.getByTestId('issued-key').innerText()
  await tabTo(page, 'Done')
  await page.keyboard.press('Enter')
  await tabTo(page, 'I have saved it')
  await page.keyboard.press('Enter')
  await page.getByTestId('issued-key').waitFor({ state: 'detached' })
  return key
}

async function choose(page: Page, text: string): Promise<void> {
  await page.keyboard.type(text)
  await page.keyboard.press('Tab')
}

test('a key is created, rotated and revoked by the keyboard alone', async () => {
  const { token } = await served.token()
  const page = await visit('/keys')
  await tabTo(page, 'Admin token')
  await page.keyboard.insertText(token)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'Keys' }).waitFor()
  await settled(page)
  await tabTo(page, 'Create key')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'Create key' }).waitFor()
  await tabTo(page, 'Name')
  await page.keyboard.type('By hand')
  await tabTo(page, 'Client ID')
  await page.keyboard.type('acme')
  await tabTo(page, 'Create key')
  await page.keyboard.press('Enter')
  await page.getByTestId('issued-key').waitFor()
  const first = await take(page)
  await page.getByRole('heading', { level: 1, name: 'By hand' }).waitFor()
  await settled(page)

  await tabTo(page, 'Rotate')
  await page.keyboard.press('Enter')
  await tabTo(page, 'Grace period')
  await choose(page, '7 days')
  await tabTo(page, 'Rotate key')
  await page.keyboard.press('Enter')
  await page.getByTestId('issued-key').waitFor()
  const second = await take(page)
  expect((await addon.verifyApiKey(first)).valid).toBe(true)
  expect((await addon.verifyApiKey(second)).valid).toBe(true)
  await eventually(async () => expect(await focused(page)).toBe('Rotate'))

  await tabTo(page, 'Revoke')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  await eventually(async () => expect(await focused(page)).toBe('Revoke'))
  await page.keyboard.press('Enter')
  await tabTo(page, 'Reason')
  await choose(page, 'Super')
  await tabTo(page, 'Revoke key')
  await page.keyboard.press('Enter')
  await page.getByText(/Reason: Superseded/).waitFor()
  expect(await addon.verifyApiKey(second)).toMatchObject({ code: 'REVOKED' })
})

test('the navigation can be skipped', async () => {
  const { token } = await served.token()
  const page = await visit('/keys')
  await page.getByLabel('Admin token').fill(token)
  await page.keyboard.press('Enter')
  await page.getByRole('navigation').waitFor()
  await settled(page)
  await page.evaluate(() => (document.activeElement as HTMLElement).blur())
  await page.keyboard.press('Tab')
  expect(await focused(page)).toBe('Skip to content')
  await page.keyboard.press('Enter')
  expect(await page.evaluate(() => document.activeElement!.id)).toBe('content')
  expect(page.url()).toBe(served.url('/keys'))
})
