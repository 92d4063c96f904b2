import { randomInt } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { addon, untyped } from '../support/addon.js'
import { invalidFields } from '../support/faults.js'
import { randomFrom, type Random } from '../support/random.js'
import { useSetting } from '../support/setting.js'

const { verifyApiKey } = addon
type Group = { all: Query[] } | { any: Query[] }
type Query = string | Group
type Required = Query[] | Group

const setting = useSetting()

/** The rules as the documents say them. */
function covers(held: string, required: string): boolean {
  const [own, asked] = [held.split(':'), required.split(':')]
  const last = own.pop()
  // Only at the end it stands for any number of segments, even if the last one is empty.
  if (last === '*' ? asked.length <= own.length : asked.length !== own.length + 1) return false
  if (last !== '*' && asked.at(-1) !== last) return false
  return own.every((segment, at) => segment === asked[at] || (segment === '*' && asked[at] !== ''))
}
const isHeld = (grants: string[], scope: string): boolean =>
  grants.some((held) => covers(held, scope))
const partsOf = (query: Query | Required): Query[] =>
  Array.isArray(query) ? query : Object.values(query as object).flat()
function isMet(grants: string[], query: Query | Required): boolean {
  if (typeof query === 'string') return isHeld(grants, query)
  const met = partsOf(query).map((part) => isMet(grants, part))
  return 'any' in query ? met.includes(true) : !met.includes(false)
}
const scopesIn = (query: Query | Required): string[] =>
  typeof query === 'string' ? [query] : partsOf(query).flatMap(scopesIn)

/** What a verify says of a query. */
function expected(grants: string[], query: Required): object {
  if (isMet(grants, query)) return { valid: true, missingScopes: undefined }
  const missing = new Set(scopesIn(query).filter((scope) => !isHeld(grants, scope)))
  return { valid: false, missingScopes: [...missing] }
}
async function answered(key: string, query: Required, more = {}): Promise<object> {
  const answer = await verifyApiKey(key, { scopes: query, ...more })
  if (!answer.valid) expect(answer).toMatchObject({ code: 'INSUFFICIENT_SCOPE', status: 403 })
  return {
    valid: answer.valid,
    missingScopes: 'missingScopes' in answer ? answer.missingScopes : undefined,
  }
}

const SCOPES = [
  'a',
  'b',
  'c',
  'd:x',
  'd:y',
  'd:x:z',
  'd::z',
  ':x',
  'd:*:z',
  'd:',
  'd:*',
  '*',
  'e*',
  '.',
  '/',
  '_-',
  'A',
]
const GRANTS = [...SCOPES, 'd:x:*', 'a:*', '*:x', '*:x:z', 'd:*:z', 'd:*:*', '*:*', '*:*:y']
const pick = (random: Random, texts: string[]): string => texts[random(texts.length)]!

function randomParts(random: Random, depth: number): Query[] {
  const size = depth === 0 && random(20) === 0 ? 60 : random(4)
  return Array.from({ length: size }, () =>
    depth > 0 && random(3) === 0 ? randomGroup(random, depth - 1) : pick(random, SCOPES),
  )
}
function randomGroup(random: Random, depth: number): Group {
  const parts = randomParts(random, depth)
  return random(2) === 0 ? { all: parts } : { any: parts }
}
const randomQuery = (random: Random): Required =>
  random(3) === 0 ? randomParts(random, random(6)) : randomGroup(random, random(6))
const randomGrants = (random: Random): string[] => [
  ...new Set(Array.from({ length: random(6) }, () => pick(random, GRANTS))),
]

async function keysWith(grants: string[][]): Promise<string[]> {
  const issued = await Promise.all(
    grants.map(async (scopes) => (await setting.coldKeys(1, { scopes }))[0]!),
  )
  return issued.map(({ key }) => key)
}

describe('random queries and grants are judged as by the rules', () => {
  const seed = randomInt(2 ** 31)
  const random = randomFrom(seed)
  const grants = Array.from({ length: 100 }, () => randomGrants(random))

  test('warm: 100,000 of them', async () => {
    const keys = await keysWith(grants)
    for (const key of keys) await verifyApiKey(key)
    const counts = { met: 0, refused: 0 }
    for (let round = 0; round < 100_000; round++) {
      const at = random(keys.length)
      const query = randomQuery(random)
      // A context with `peek` is answered by another way.
      const more = round % 10 === 0 ? { peek: true } : {}
      const right = expected(grants[at]!, query)
      const answer = await answered(keys[at]!, query, more)
      if (JSON.stringify(answer) !== JSON.stringify(right))
        expect(answer, `seed ${seed}: ${JSON.stringify([grants[at], query])}`).toEqual(right)
      counts['missingScopes' in right && right.missingScopes ? 'refused' : 'met'] += 1
    }
    // Otherwise the test would tell nothing.
    expect(Math.min(counts.met, counts.refused)).toBeGreaterThan(10_000)
  })

  test('cold: 100 of them', async () => {
    const keys = await keysWith(grants)
    for (const [at, key] of keys.entries()) {
      const query = randomQuery(random)
      const answer = await answered(key, query)
      const what = `seed ${seed}: ${JSON.stringify([grants[at], query])}`
      expect(answer, what).toEqual(expected(grants[at]!, query))
    }
  })
})

const nestedIn = (depth: number, inner: Query): Query => {
  let query = inner
  for (let level = 0; level < depth; level++)
    query = level % 2 ? { all: [query] } : { any: [query] }
  return query
}
const manyScopes = (count: number): string[] =>
  Array.from({ length: count }, (_, at) => `${at}`.padEnd(100, 'x'))

describe('a large query', () => {
  test.each<[string, Required, object]>([
    ['32 levels', nestedIn(32, 'b') as Group, { missingScopes: ['b'] }],
    ['32 levels that are met', nestedIn(32, 'a') as Group, { valid: true }],
    ['32 levels in a list', ['a', nestedIn(32, 'b')], { missingScopes: ['b'] }],
    ['2,000 scopes', manyScopes(2_000), { missingScopes: manyScopes(2_000) }],
    ['2,000 times a scope', Array(2_000).fill('b'), { missingScopes: ['b'] }],
    ['1,999 scopes in a group', [{ any: [...manyScopes(1_998), 'a'] }], { valid: true }],
    ['2,000 groups', Array(2_000).fill({ all: [] }), { valid: true }],
  ])('may have %s, warm and cold', async (_what, scopes, answer) => {
    const [key] = await keysWith([['a']])
    for (let round = 0; round < 2; round++)
      expect(await verifyApiKey(key, { scopes })).toMatchObject(answer)
  })

  test.each<[string, unknown, string]>([
    ['33 levels', nestedIn(33, 'a'), `scopes${'.any[0].all[0]'.repeat(16)}`],
    ['100,000 levels', nestedIn(100_000, 'a'), expect.stringMatching(/^scopes\.all\[0\]\.any/)],
    ['2,001 parts', [{ any: manyScopes(2_000) }], 'scopes'],
    ['2,001 scopes', manyScopes(2_001), 'scopes'],
    [
      'a million parts',
      { all: Array(1_000_000).fill({ any: [] }) },
      expect.stringMatching(/^scopes/),
    ],
  ])('may not have %s', async (_what, scopes, path) => {
    const [key] = await keysWith([['*']])
    for (let round = 0; round < 2; round++) {
      expect(await invalidFields(() => untyped.verifyApiKey!(key, { scopes }))).toEqual([path])
      await verifyApiKey(key)
    }
  })

  test('that contains itself is refused', async () => {
    const query: { all: unknown[] } = { all: [] }
    query.all.push(query, query)
    const fields = await invalidFields(() => untyped.verifyApiKey!('x', { scopes: query }))
    expect(fields[0]).toMatch(/^scopes/)
  })
})

test('a key with 1,000 scopes is warm at once, whatever the size of the cache', async () => {
  const scopes = Array.from({ length: 1_000 }, (_, at) =>
    `${at % 2 ? '*' : 'project'}:${at}:`.padEnd(90, 'x'),
  )
  const { key } = (await setting.coldKeys(1, { scopes }))[0]!
  await verifyApiKey(key)
  const cost = await setting.cost(async () => {
    for (const scope of scopes)
      expect(await verifyApiKey(key, { scopes: [scope] })).toMatchObject({ valid: true, scopes })
    expect(await answered(key, [`project:1:${'x'.repeat(86)}`, 'y'])).toEqual({
      valid: false,
      missingScopes: ['y'],
    })
  })
  expect(cost).toEqual({ selects: 0, hashes: 0, statements: [] })
})

test.each<[string, unknown, string[]]>([
  ['no field', {}, ['scopes']],
  ['both fields', { all: ['a'], any: ['a'] }, ['scopes']],
  ['a field that is undefined', { all: ['a'], any: undefined }, ['scopes']],
  ['another field', { none: ['a'] }, ['scopes']],
  ['an inherited field', Object.create({ any: ['a'] }), ['scopes']],
  ['no list', { any: 'a' }, ['scopes.any']],
  ['null', { any: null }, ['scopes.any']],
  ['a list in a list', [['a']], ['scopes[0]']],
  [
    'a scope that may not be',
    [{ any: ['a', 'a b', { all: ['ü'] }] }],
    ['scopes[0].any[1]', 'scopes[0].any[2].all[0]'],
  ],
  ['the signs of a group', ['|', 'a', ')'], ['scopes[0]', 'scopes[2]']],
  [
    'the signs of a group in one',
    { all: ['|', 'a', ')', '&', ''] },
    [0, 2, 3, 4].map((at) => `scopes.all[${at}]`),
  ],
  ['a scope of lines', ['\n|\na\n)'], ['scopes[0]']],
  ['null in a group', { all: [null] }, ['scopes.all[0]']],
  ['a text', 'a', ['scopes']],
])('a query with %s is no query, warm and cold', async (_what, scopes, paths) => {
  const [key] = await keysWith([['*']])
  for (let round = 0; round < 2; round++) {
    const fields = await invalidFields(() => untyped.verifyApiKey!(key, { scopes }))
    expect(fields.sort()).toEqual(paths)
    await verifyApiKey(key)
  }
})

test('a warm key costs no statement and no hash, whatever is asked of it', async () => {
  const [key] = await keysWith([['a', 'd:*']])
  await verifyApiKey(key)
  const queries: [Required, boolean][] = [
    [{ any: ['x', { all: ['a', 'd:x'] }] }, true],
    [[{ any: ['x', 'y'] }], false],
    [[{ any: [...manyScopes(1_000), 'a'] }], true],
    [nestedIn(32, 'x') as Group, false],
  ]
  const cost = await setting.cost(async () => {
    for (let round = 0; round < 100; round++)
      for (const [scopes, valid] of queries)
        expect(await verifyApiKey(key, { scopes })).toMatchObject({ valid })
  })
  expect(cost).toEqual({ selects: 0, hashes: 0, statements: [] })
})

test('a polluted prototype adds nothing to a query', async () => {
  const [key] = await keysWith([['a']])
  await verifyApiKey(key)
  const polluted = Object.prototype as { all?: unknown; any?: unknown }
  try {
    polluted.all = ['b']
    polluted.any = ['a']
    expect(await invalidFields(() => untyped.verifyApiKey!(key, { scopes: {} }))).toEqual([
      'scopes',
    ])
    expect(await answered(key!, { any: ['a'] })).toMatchObject({ valid: true })
    expect(await answered(key!, { all: ['c'] })).toMatchObject({ missingScopes: ['c'] })
  } finally {
    delete polluted.all
    delete polluted.any
  }
})
