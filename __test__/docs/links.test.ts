import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../support/child.js'
import { anchors, links, markdownUnder, pages, read } from './markdown.js'

const documents = ['llms.txt', ...markdownUnder()]

/** What is wrong with a link of a document. */
function problem(path: string, link: string): string | undefined {
  if (/^[a-z]+:/.test(link)) {
    const valid = URL.canParse(link) && /^(https:\/\/[^/]+\.|http:\/\/localhost)/.test(link)
    return valid ? undefined : 'not an https address'
  }
  const [file, anchor] = link.split('#') as [string, string?]
  const target = file ? join(dirname(path), file) : path
  if (!existsSync(join(root, target))) return 'no such file'
  if (anchor !== undefined && !anchors(read(target)).includes(anchor)) return 'no such heading'
}

test.each(documents)('the links of %s lead somewhere', (path) => {
  const dead = links(read(path))
    .map((link) => [link, problem(path, link)])
    .filter(([, what]) => what)
  expect(dead).toEqual([])
})

test('a dead link is noticed', () => {
  expect(problem('README.md', 'docs/nowhere.md')).toBe('no such file')
  expect(problem('README.md', '#nowhere')).toBe('no such heading')
  expect(problem('docs/README.md', '../SECURITY.md#nowhere')).toBe('no such heading')
  expect(problem('README.md', 'https:nowhere')).toBe('not an https address')
  expect(problem('docs/README.md', '../SECURITY.md')).toBe(undefined)
})

test.each(['docs/README.md', 'llms.txt'])('%s names every page', (index) => {
  const named = links(read(index)).map((link) => join(dirname(index), link.split('#')[0]!))
  const missing = pages().filter((page) => page !== index && !named.includes(page))
  expect(missing.filter((page) => page !== 'README.md' && page !== 'docs/README.md')).toEqual([])
})
