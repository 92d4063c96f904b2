import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../support/child.js'
import { cli, json } from './cli.js'

interface Vector {
  prefix: string
  environment: string
  signingKey: string
  fingerprint: string
  key: string
}
const vectors = JSON.parse(readFileSync(join(root, 'src/token/vectors.json'), 'utf8')) as Vector[]

const environmentOf = ({ prefix, environment }: Vector) => ({
  API_KEYS_PREFIXES: prefix,
  API_KEYS_ENVIRONMENT: environment,
})

test.each(vectors)('a key is well-formed without a database: $key', async (vector) => {
  const env = environmentOf(vector)
  const unsigned = await json(['check'], { env, input: `${vector.key}\n` })
  expect(unsigned).toMatchObject({ wellFormed: true, origin: 'issued', tag: 'unchecked' })
  const signed = { ...env, API_KEYS_SIGNING_KEYS: vector.signingKey }
  expect(await json(['check'], { env: signed, input: vector.key })).toEqual({
    wellFormed: true,
    origin: 'issued',
    kind: 'secret',
    environment: vector.environment,
    start: vector.key.slice(0, -47),
    tag: 'valid',
    signingKey: vector.fingerprint,
    note: null,
  })
})

const { key, ...vector } = vectors[0]!
const env = environmentOf({ key, ...vector })
const other = Buffer.alloc(32, 1).toString('base64')

test.each<[string, string, Record<string, string>, number, RegExp]>([
  ['a typo', key.slice(0, -1) + (key.endsWith('0') ? '1' : '0'), {}, 1, /checksum does not match/],
  ['a part', key.slice(0, -3), {}, 1, /cut off/],
  ['two keys', key + key.slice(-20), {}, 1, /appended/],
  ['a word', 'short', {}, 1, /16 to 255 characters/],
  ['a line of words', 'not a key but a sentence', {}, 1, /visible ASCII/],
  ['two lines', `${key}\nmore`, {}, 1, /visible ASCII/],
  ['its prefix alone', `${vector.prefix}_something_else`, {}, 1, /continues with/],
  [
    'an old key',
    'Zm9vYmFyYmF6cXV4LTAxMjM0NTY3ODlfYWJjZGVmZ2g',
    {},
    0,
    /only the database can tell/,
  ],
  ['a quoted key', `"${key}"`, {}, 1, /in quotes/],
  ['a quoted old key', "'Zm9vYmFyYmF6cXV4LTAxMjM0NTY3ODlfYWJjZGVmZ2g'", {}, 1, /in quotes/],
  ['upper case', key.toUpperCase(), {}, 1, /upper and lower case differ/],
  ['lower case', key.toLowerCase(), {}, 1, /checksum does not match/],
  ['a variable', `API_KEY=${key}`, {}, 1, /other text before the prefix/],
  ['white space', ` \t${key}\r\n\n`, {}, 0, /correct/],
  ['another prefix', key, { API_KEYS_PREFIXES: 'elsewhere' }, 0, /prefix is not accepted here/],
  ['a stranger', key, { API_KEYS_SIGNING_KEYS: other }, 1, /any signing key/],
  [
    'the other side',
    key,
    { API_KEYS_ENVIRONMENT: vector.environment === 'live' ? 'test' : 'live' },
    1,
    /environment here is/,
  ],
])('%s is told', async (_what, input, more, code, message) => {
  const answer = await cli(['check'], { env: { ...env, ...more }, input })
  expect([answer.code, answer.stdout]).toEqual([code, expect.stringMatching(message)])
  // A text that may be a secret with a typo is not shown.
  if (code === 1) expect(answer.stdout + answer.stderr).not.toContain(key.slice(-20, -8))
})

test('a signing key that is none is a fault of the configuration', async () => {
  const answer = await cli(['check'], { env: { API_KEYS_SIGNING_KEYS: 'c2hvcnQ=' }, input: key })
  expect([answer.code, answer.stdout]).toEqual([3, ''])
  expect(answer.stderr).toContain('API_KEYS_SIGNING_KEYS')
})
