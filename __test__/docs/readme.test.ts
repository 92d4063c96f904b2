import { expect, test } from 'vitest'
import { chapter, read, table } from './markdown.js'

const readme = read('README.md')

test('the README can be read in one go', () => {
  expect(readme.split('\n').length).toBeLessThanOrEqual(250)
})

test('the figures of the README are those of the benchmarks', () => {
  const cells = read('docs/benchmarks.md')
    .split('|')
    .map((cell) => cell.trim())
  const figures = table(chapter(readme, 'Why use it'), 'operation').map(([, figure]) => figure!)
  expect(figures.length).toBeGreaterThan(4)
  for (const figure of figures) {
    const ratio = /^([\d.]+) %$/.exec(figure)?.[1]
    const expected = ratio ? (Number(ratio) / 100).toFixed(3) : figure
    expect(cells).toContain(expected)
  }
})
