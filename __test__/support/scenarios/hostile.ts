import { randomInt } from 'node:crypto'
import { addon } from '../addon.js'

type Make = (key: string) => unknown

const pick = <T>(list: readonly T[]): T => list[randomInt(list.length)]!
const bits = (length: number): string => Buffer.alloc(length, randomInt(256)).toString('latin1')

const PIECES = [
  '',
  '_',
  '__',
  '\0',
  '\n',
  '\ud800',
  '\udfff',
  '🔑',
  '‮',
  '/',
  '%00',
  "'",
  '"',
  '\\',
]
const HUGE = [
  'x'.repeat(1 << 20),
  '_'.repeat(1 << 20),
  '🔑'.repeat(1 << 19),
  '\ud800'.repeat(9_999),
]

/** The key with a random change. */
function mutated(key: string): string {
  const at = randomInt(key.length + 1)
  const piece = randomInt(2) === 0 ? pick(PIECES) : String.fromCharCode(randomInt(0x10000))
  return key.slice(0, at) + piece + key.slice(at + randomInt(3))
}

const makes: Make[] = [
  mutated,
  mutated,
  mutated,
  mutated,
  (key) => mutated(mutated(key)),
  (key) => key.slice(0, randomInt(key.length)),
  (key) => key.slice(randomInt(1, key.length)),
  (key) => key.repeat(randomInt(2, 20)),
  (key) => key.toUpperCase(),
  (key) => key.replace('live', pick(['test', 'LIVE', 'l\u0130ve', ''])),
  (key) => `${key}${pick([' ', '\n', '\0', '=', 'x'])}`,
  (key) => `${pick([' ', '\ufeff', '\0', 'Bearer '])}${key}`,
  (key) => key.slice(0, 24) + bits(randomInt(1, 300)),
  () => bits(randomInt(300)),
  () => `$argon2id$v=19$m=${randomInt(2 ** 40)},t=1,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`,
  () => `sha256:${'0'.repeat(64)}`,
  () => `' OR 1=1 --${randomInt(1_000_000)}`,
]
const noTexts = [undefined, null, 5, NaN, true, {}, [], [''], Symbol('x'), 5n, () => 1, new Date()]
const rare: Make[] = [() => pick(HUGE), () => pick(noTexts), (key) => new String(key)]

/** What is presented in the place of the key is answered so. White space around a key is no part of it. */
function codeOf(made: unknown, key: string): string {
  if (made === undefined || made === null) return 'MISSING_KEY'
  if (Array.isArray(made)) return made.length === 0 ? 'MISSING_KEY' : 'INVALID_KEY'
  if (typeof made !== 'string') return 'INVALID_INPUT'
  return made.replace(/^[ \t\n\f\r]+|[ \t\n\f\r]+$/g, '') === key ? 'VALID' : 'INVALID_KEY'
}

/**
 * So many mutated and hostile keys are refused: none passes but the key itself, none is a fault of another kind than one of input, and the
 * key itself still verifies.
 */
export async function hostileKeys(key: string, count: number): Promise<void> {
  const ask = async (): Promise<void> => {
    const made = (randomInt(200) === 0 ? pick(rare) : pick(makes))(key)
    const answer = await addon
      .verifyApiKey(made as string)
      .catch((fault: { code: string }) => fault)
    // expect() is too slow for a million calls.
    if (answer.code !== codeOf(made, key))
      throw new Error(`${JSON.stringify(made)}: ${answer.code}`)
  }
  const BATCH = 100
  for (let left = count; left > 0; left -= BATCH) {
    await Promise.all(Array.from({ length: Math.min(left, BATCH) }, ask))
  }
  const { valid } = await addon.verifyApiKey(key)
  if (!valid) throw new Error('The key itself is refused')
}
