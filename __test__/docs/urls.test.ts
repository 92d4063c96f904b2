import { afterEach, expect, test } from 'vitest'
import { addon } from '../support/addon.js'
import { pages, read } from './markdown.js'

afterEach(() => addon.close())

const urls = pages().flatMap((page) =>
  [...read(page).matchAll(/postgres(?:ql)?:\/\/\w[^\s`'"<>…]+/g)].map(([url]) => [page, url]),
)

test.each(urls)('%s: %s is a URL that can be configured', (_, databaseUrl) => {
  expect(() => addon.configure({ databaseUrl: databaseUrl! })).not.toThrow()
})
