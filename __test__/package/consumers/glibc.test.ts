import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { usePacked } from '../support/packed.js'

const packed = usePacked()

/** The versions of glibc whose symbols a binary asks the loader for. */
const versions = (addon: Buffer): string[] => [
  ...new Set(addon.toString('latin1').match(/GLIBC_[\d.]+/g)),
]

const isNewer = (version: string): boolean => {
  const [, major, minor] = /_(\d+)\.(\d+)/.exec(version)!
  return Number(major) > 2 || Number(minor) > 17
}

test('the packed addon runs on glibc 2.17', () => {
  const { file, manifest } = packed().find(({ name }) => name.endsWith('-gnu'))!
  const args = ['-xzOf', file, `package/${manifest.main as string}`]
  const needed = versions(execFileSync('tar', args, { maxBuffer: 2 ** 26 }))
  expect(needed.length).toBeGreaterThan(3)
  expect(needed.filter(isNewer)).toEqual([])
})

test('this test distinguishes versions', () => {
  expect(['GLIBC_2.17', 'GLIBC_2.2.5', 'GLIBC_2.18', 'GLIBC_2.34'].filter(isNewer)).toEqual([
    'GLIBC_2.18',
    'GLIBC_2.34',
  ])
})
