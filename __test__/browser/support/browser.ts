import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { startChromium } from '../../support/chromium.js'
import { READ_ONLY, type Console } from './console.js'

/** A name of this machine that is no `localhost`: plain http is not secure there. */
export const PLAIN_HOST = 'console.example'

/** What a page has said that it should not. */
interface Watched {
  page: Page
  problems: string[]
  /** What a test expects to be among it. */
  expected: RegExp[]
}

export interface Visitor {
  /** A page of a visitor who is not signed in. */
  visit(path: string, options?: BrowserContextOptions): Promise<Page>
  /** A page of an administrator with these permissions, who is signed in. */
  signedIn(path: string, permissions?: string[], options?: BrowserContextOptions): Promise<Page>
  /** The same of one who may only read. */
  reading(path: string, options?: BrowserContextOptions): Promise<Page>
  /** Lets a page say what matches: a browser writes every failed request to its console. */
  expecting(page: Page, ...texts: RegExp[]): void
}

/**
 * Drives a browser for a test file. After each test, no page may have broken the content security policy, thrown an error, or written
 * one to the console.
 */
export function useBrowser(served: Console): Visitor {
  let browser: Browser
  const watched: Watched[] = []
  beforeAll(async () => {
    browser = await startChromium(`--host-resolver-rules=MAP ${PLAIN_HOST} 127.0.0.1`)
  })
  afterAll(() => browser?.close())
  afterEach(async () => {
    const pages = watched.splice(0)
    const unexpected = pages.flatMap(({ problems, expected }) =>
      problems.filter((problem) => !expected.some((text) => text.test(problem))),
    )
    await Promise.all(pages.map(({ page }) => page.context().close()))
    expect(unexpected).toEqual([])
  })

  async function open(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 900 },
      locale: 'en-GB',
      timezoneId: 'Europe/Berlin',
      ...options,
    })
    context.setDefaultTimeout(15_000)
    const page = await context.newPage()
    const problems: string[] = []
    watched.push({ page, problems, expected: [] })
    page.on('pageerror', (error) => problems.push(`error: ${error.stack ?? error.message}`))
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type()))
        problems.push(`${message.text()} (${message.location().url})`)
    })
    await page.addInitScript(() =>
      addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
        console.error(`CSP: ${violatedDirective} ${blockedURI}`),
      ),
    )
    return page
  }

  const visit: Visitor['visit'] = async (path, options) => {
    const page = await open(options)
    await page.goto(served.url(path))
    return page
  }
  const signedIn: Visitor['signedIn'] = async (path, permissions, options) => {
    const { token } = await served.token(permissions)
    const page = await visit(path, options)
    await page.getByLabel('Admin token').fill(token)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('navigation').waitFor()
    await settled(page)
    return page
  }
  return {
    visit,
    signedIn,
    reading: (path, options) => signedIn(path, READ_ONLY, options),
    expecting: (page, ...texts) => {
      watched.find((entry) => entry.page === page)?.expected.push(...texts)
    },
  }
}

/** Waits until nothing on the page is on its way. */
export async function settled(page: Page): Promise<void> {
  await page.locator('h1').first().waitFor()
  await page.waitForFunction(() => !document.querySelector('[aria-busy="true"]'))
}

/** Everything that a page could keep: its markup, its storage, its address and its history. */
export const kept = (page: Page): Promise<string> =>
  page.evaluate(() => {
    const fields = [...document.querySelectorAll('input, textarea')].map(
      (field) => (field as HTMLInputElement).value,
    )
    return [
      document.documentElement.outerHTML,
      ...fields,
      JSON.stringify({ ...localStorage }),
      JSON.stringify({ ...sessionStorage }),
      location.href,
      JSON.stringify(history.state),
      document.cookie,
    ].join('\n')
  })
