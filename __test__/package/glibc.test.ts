import { readFileSync, readdirSync, existsSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../support/child.js'

const folder = path.join(root, 'portable')
const files = existsSync(folder) ? readdirSync(folder) : []
const addons = files.filter((name) => /-gnu\.node$/.test(name))

/** The versions of glibc whose symbols a binary asks the loader for. */
const versions = (addon: string): string[] => [
  ...new Set(readFileSync(path.join(folder, addon), 'latin1').match(/GLIBC_[\d.]+/g)),
]

const isNewer = (version: string): boolean => {
  const [, major, minor] = /_(\d+)\.(\d+)/.exec(version)!
  return Number(major) > 2 || Number(minor) > 17
}

describe.skipIf(addons.length === 0)('an addon for glibc, by `npm run build:portable`', () => {
  test.each(addons)('%s runs on glibc 2.17', (addon) => {
    expect(versions(addon).length).toBeGreaterThan(3)
    expect(versions(addon).filter(isNewer)).toEqual([])
  })

  test('this test tells versions apart', () => {
    expect(['GLIBC_2.17', 'GLIBC_2.2.5', 'GLIBC_2.18', 'GLIBC_2.34'].filter(isNewer)).toEqual([
      'GLIBC_2.18',
      'GLIBC_2.34',
    ])
  })
})
