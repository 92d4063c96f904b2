import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { root, run } from '../support/child.js'

const script = path.join(root, 'scripts/layers.mjs')
const { violations } = (await import(pathToFileURL(script).href)) as {
  violations(root: string): string[]
}

let copy: string
beforeEach(() => {
  copy = mkdtempSync(path.join(tmpdir(), 'layers-'))
  cpSync(path.join(root, 'src'), copy, { recursive: true })
})
afterEach(() => rmSync(copy, { recursive: true }))

/** Adds lines to the top of a file, and returns what the check says. */
function planted(file: string, lines: string): string[] {
  const name = path.join(copy, file)
  writeFileSync(name, `${lines}\n${readFileSync(name, 'utf8')}`)
  return violations(copy)
}

test('the crate keeps to its layers', () => {
  expect(violations(copy)).toEqual([])
})

test('the script names the line on which a layer is left, and fails', async () => {
  const file = path.join(copy, 'store/usage.rs')
  writeFileSync(file, `\n\nuse crate::service::Service;\n${readFileSync(file, 'utf8')}`)
  const { code, stderr } = await run([process.execPath, script, copy])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^src\/store\/usage\.rs:3: store imports service \(src\/service\.rs\): /m)
})

describe('an import that goes up is found', () => {
  test.each([
    ['plain', 'model/key.rs', 'use crate::store::Store;', 1],
    ['grouped', 'token/tokens.rs', 'use crate::{error::Error, store::Store};', 1],
    [
      'nested and over several lines',
      'cache/row.rs',
      'use crate::{\n  verify::{\n    warm,\n  },\n};',
      1,
    ],
    ['renamed', 'events/event.rs', '\nuse crate::keys::create as make;', 2],
    ['relative', 'usage.rs', 'use super::process::started;', 1],
    ['inside a function', 'jwt/token.rs', 'fn now() { crate::process::now(); }', 1],
    ['of another engine', 'hash/pool.rs', 'use crate::token::Tokens;', 1],
    ['of an engine by the boundary', 'binding/keys.rs', 'use crate::cache::Cache;', 1],
    ['of a later operation', 'legacy/row.rs', 'use crate::verify::verify;', 1],
    ['passed on from another folder', 'config.rs', 'pub use crate::service::Service;', 1],
  ])('%s', (_, file, lines, line) => {
    const found = planted(file, lines)
    expect(found.some((violation) => violation.startsWith(`src/${file}:${line}: `))).toBe(true)
  })
})

describe('a circle between files is found', () => {
  test('of two files', () => {
    const found = planted('store/usage.rs', 'use super::keys::insert;')
    expect(found).toEqual([])
    expect(planted('store/keys.rs', 'use super::usage::add;').join()).toContain('a circle')
  })

  test('of a file and its child', () => {
    const found = planted('hash/pool.rs', 'use super::Hasher;')
    expect(found).toEqual([])
    expect(planted('hash.rs', 'use pool::HashPool;').join()).toContain('a circle')
  })

  test('which a bare `pub use` of a child is not', () => {
    expect(planted('hash/pool.rs', 'use super::SALT_BYTES;')).toEqual([])
  })
})

test('comments, texts and tests do not count', () => {
  expect(
    planted(
      'model/key.rs',
      [
        '// use crate::store::Store;',
        '/* use crate::store::Store; */',
        'const TEXT: &str = "use crate::store::Store;";',
        '#[cfg(test)]',
        'mod planted { use crate::store::Store; }',
      ].join('\n'),
    ),
  ).toEqual([])
})

test('a module without a layer is named', () => {
  mkdirSync(path.join(copy, 'elsewhere'))
  writeFileSync(path.join(copy, 'elsewhere.rs'), '')
  expect(violations(copy)).toEqual([
    'src/elsewhere.rs:1: no layer has the module elsewhere: see scripts/layers.mjs',
  ])
})
