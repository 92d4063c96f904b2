import { expect, test } from 'vitest'
import { pages, read } from './markdown.js'

const [, options] = /export interface Options \{\n(.*?)\n\}/s.exec(read('src/binding/header.d.ts'))!
const variables = [...options!.matchAll(/^ {2}(\w+)\?:/gm)].map(
  ([, option]) => `API_KEYS_${option!.replace(/[A-Z]/g, '_$&').toUpperCase()}`,
)

test('the variables that the pages name are those of options', () => {
  expect(variables).toContain('API_KEYS_POOL_MAX')
  const unknown = pages().flatMap((page) =>
    [...read(page).matchAll(/\bAPI_KEYS_[A-Z0-9]+(?:_[A-Z0-9]+)*(?![A-Z0-9_…])/g)]
      .map(([name]) => name)
      .filter((name) => !variables.includes(name))
      .map((name) => `${page}: ${name}`),
  )
  expect(unknown).toEqual([])
})
