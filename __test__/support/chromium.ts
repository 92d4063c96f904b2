import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import { chromium, type Browser, type Page } from 'playwright-core'
import { expect } from 'vitest'

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** Debian's browser. In a container it runs as root, where it has no sandbox. */
export async function startChromium(...args: string[]): Promise<Browser> {
  if (!existsSync(executablePath))
    throw new Error(`There is no Chromium at ${executablePath}: apt-get install chromium`)
  return chromium.launch({ executablePath, args: ['--no-sandbox', ...args] })
}

/** What axe-core finds wrong with a page, in both colour schemes. */
export async function expectAccessible(page: Page): Promise<void> {
  // Not by a script of the page: its policy would refuse that.
  await page.evaluate(await sourceOf(axe))
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    const { violations } = await page.evaluate<AxeResults>('axe.run()')
    const found = violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)])
    expect(found, colorScheme).toEqual([])
  }
}

const sourceOf = async (file: string): Promise<string> =>
  (await import('node:fs/promises')).readFile(file, 'utf8')
