import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../support/child.js'
import { files, read } from './markdown.js'

// The documents for those who work on the package.

test.each(['CONTRIBUTING.md', 'docs/ARCHITECTURE.md'])('%s names files that exist', (path) => {
  const named = files(read(path))
  expect(named.length).toBeGreaterThan(10)
  expect(named.filter((file) => !existsSync(join(root, file)))).toEqual([])
})

test('every part of the crate is on the map', () => {
  const parts = readdirSync(join(root, 'src')).filter((name) => name.endsWith('.rs'))
  const named = files(read('CONTRIBUTING.md'))
  expect(parts.filter((name) => !named.includes(`src/${name}`))).toEqual([])
})
