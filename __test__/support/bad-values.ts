// Values that JavaScript and JSON can pass, by the kind of field that must refuse them.

/** A description, and the value. */
export type Case = [string, unknown]

export const chars = (length: number, character = 'x'): string => character.repeat(length)
export const entries = (length: number, entry: unknown): unknown[] =>
  Array.from({ length }, () => entry)
export const metadataOf = (bytes: number): object => ({ text: chars(bytes - '{"text":""}'.length) })
export const nested = (depth: number): object =>
  JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`) as object
export const fromNow = (seconds: number): Date => new Date(Date.now() + seconds * 1_000)

export function cyclic(): object {
  const loop: { self?: object } = {}
  loop.self = loop
  return loop
}

/** A list with a hole. */
export const sparse: unknown[] = ['10.0.0.1']
sparse[2] = '10.0.0.2'

export const throws = (): never => {
  throw new Error('from the input')
}
/** An object like `base` whose `field` throws when it is read. */
export const throwingGetter = (base: object, field: string): object =>
  Object.defineProperty({ ...base }, field, { enumerable: true, get: throws })
export const throwingProxy = new Proxy({}, { get: throws, has: throws, ownKeys: throws })
export const revokedProxy = ((): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
})()

/** Values that no field of text, number, date, list or flag accepts. */
export const alien: Case[] = [
  ['an object', {}],
  ['a symbol', Symbol('s')],
  ['a function', () => 1],
  ['a bigint', 10n],
  ['a map', new Map()],
  ['a proxy that throws', throwingProxy],
  ['a revoked proxy', revokedProxy],
]

/** No text. */
export const text: Case[] = [
  ...alien,
  ['a number', 1],
  ['a boolean', true],
  ['an array', ['x']],
  ['a date', new Date()],
  ['a String object', new String('boxed')],
  ['\\0', 'nul \u0000'],
  ['a high surrogate alone', 'x\ud800'],
  ['a low surrogate alone', '\udc00x'],
  ['a huge string', chars(5_000_000)],
]

/** No line of 1 to 255 characters. */
export const label: Case[] = [
  ...text,
  ['null', null],
  ['nothing', ''],
  ['256 characters', chars(256)],
  ['256 emoji', chars(256, '🔑')],
  ...['\n', '\r', '\t', '\u0001', '\u001b', '\u007f', '\u0085', '\u009f'].map((control): Case => [
    `control ${JSON.stringify(control)}`,
    `a${control}b`,
  ]),
]

/** No whole number above 0, or one far too large. */
export const count: Case[] = [
  ...alien,
  ['text', '10'],
  ['a boolean', true],
  ['a list', [1]],
  ['zero', 0],
  ['a negative number', -1],
  ['a fraction', 1.5],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['2 ** 31', 2 ** 31],
  ['2 ** 32 + 1', 2 ** 32 + 1],
  ['2 ** 53', 2 ** 53],
  ['1e308', 1e308],
]

/** Neither true nor false. */
export const flag: Case[] = [...alien, ['text', 'true'], ['a number', 1], ['a list', [true]]]

/** No instant. */
export const date: Case[] = [
  ...alien,
  ['a NaN date', new Date(NaN)],
  ['a number', Date.now()],
  ['text', 'tomorrow'],
  ['an empty string', ''],
  ['a day that there is not', '2094-02-30T00:00:00Z'],
  ['a month that there is not', '2094-13-01T00:00:00Z'],
  ['an hour that there is not', '2094-01-01T25:00:00Z'],
  ['a year beyond all', new Date(8.64e15)],
  ['an extended year', '+275760-09-13T00:00:00.000Z'],
  ['a boolean', true],
  ['\\0', '2094-01-01T00:00:00Z\u0000'],
]

/** No list of at most 100 entries. */
export const list: Case[] = [
  ...alien,
  ['text', '10.0.0.1'],
  ['a number', 1],
  ['101 entries', entries(101, '10.0.0.1')],
  ['a million entries', entries(1_000_000, 'x')],
  ['an object like a list', { 0: '10.0.0.1', length: 1 }],
]

/** No list of at most 1,000 scopes. */
export const heldScopes: Case[] = [
  ...list.filter(([what]) => what !== '101 entries'),
  ['1,001 entries', entries(1_001, 'a')],
]

/** No scopes that a request may ask for: there may be more than a key can hold. */
export const requiredScopes: Case[] = [
  ...list.filter(([what]) => what !== '101 entries'),
  ['2,001 entries', entries(2_001, 'a')],
]

/** No IP address and no network in CIDR notation. */
export const badAddresses = [
  ...['', ' ', 'localhost', 'example.com', '*', '0', '256.0.0.1', '1.2.3', '1.2.3.4.5', '01.2.3.4'],
  ...[
    '1.2.3.4/',
    '1.2.3.4/33',
    '1.2.3.4/-1',
    '1.2.3.4/08',
    '1.2.3.4/+8',
    '::1/064',
    '1.2.3.4/8/8',
    '1.2.3.4/a',
    '/8',
    ' 10.0.0.1',
  ],
  ...['10.0.0.1 ', '10.0.0.1:80', '0x7f.0.0.1', '::1/129', ':::1', '[::1]', 'fe80::1%eth0', '::g'],
  ...['1:2:3:4:5:6:7', '10.0.0.1-10.0.0.9', '10.0.0.1,10.0.0.2', '10.0.0.1\u0000', '\ud800'],
  ...['10.0.0.٣', chars(1_000_000, '1')],
]
export const badScopes = [
  '',
  ' ',
  'a b',
  'é',
  'a\u0000',
  'a\n',
  'a,b',
  '"',
  '\ud800',
  chars(101),
  '{}',
]

/** Values that are no objects. */
export const noObject: Case[] = [
  ['undefined', undefined],
  ['null', null],
  ['a number', 5],
  ['text', 'name'],
  ['a boolean', true],
  ['a symbol', Symbol('s')],
  ['a bigint', 1n],
  ['a function', throws],
  ['a list', [{}]],
  ['a proxy that throws', throwingProxy],
  ['a revoked proxy', revokedProxy],
]
