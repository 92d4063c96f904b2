import { createHmac, randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const SECRET = 32
const TAG = 8
const CRC = 6

/** Digits in base 62, most significant first, padded with zeros on the left. */
function base62(value: bigint, length: number): string {
  let text = ''
  for (let rest = value; text.length < length; rest /= 62n) text = DIGITS[Number(rest % 62n)] + text
  return text
}

const randomDigits = (length: number): string =>
  Array.from({ length }, () => DIGITS[randomInt(DIGITS.length)]).join('')

const withCrc = (text: string): string => text + base62(BigInt(crc32(text)), CRC)

/** The tag of what was signed, under a signing key in base64. */
function tagOf(signed: string, signingKey: string): string {
  const code = createHmac('sha256', Buffer.from(signingKey, 'base64')).update(signed).digest()
  return base62(code.readBigUInt64BE() >> 17n, TAG)
}

/** `prefix_environment_lookup_`, and the secret after it. */
function parts(key: string): { head: string; secret: string; tag: string } {
  const head = key.slice(0, key.lastIndexOf('_') + 1)
  const tail = key.slice(head.length)
  return { head, secret: tail.slice(0, SECRET), tag: tail.slice(SECRET, SECRET + TAG) }
}

/** A key of the right shape, with the right checksum, that nobody with a signing key has made. */
export function forged(key: string): string {
  const { head, secret, tag } = parts(key)
  const anyTag = base62(BigInt(randomInt(2 ** 47)), TAG)
  switch (randomInt(3)) {
    // The row of a real key, and another secret.
    case 0:
      return withCrc(head + randomDigits(SECRET) + tag)
    // A real key, all but its tag.
    case 1:
      return anyTag === tag ? forged(key) : withCrc(head + secret + anyTag)
    // A row that there is not.
    default:
      return withCrc(head.replace(/[^_]+_$/, `${randomDigits(12)}_`) + secret + tag)
  }
}

/** A key for the same row that only its hash can tell from the right one: its tag is real. */
export function withWrongSecret(key: string, signingKey: string): string {
  const signed = parts(key).head + randomDigits(SECRET)
  return withCrc(signed + tagOf(signed, signingKey))
}

/** A key for a row that there is not, with a real tag. */
export function withAnotherLookup(key: string, signingKey: string): string {
  const head = parts(key).head.replace(/[^_]+_$/, `${randomDigits(12)}_`)
  const signed = head + randomDigits(SECRET)
  return withCrc(signed + tagOf(signed, signingKey))
}

/** The same key, taken apart and put together again: shows that what is made here has the format. */
export function remade(key: string, signingKey: string): string {
  const { head, secret } = parts(key)
  return withCrc(head + secret + tagOf(head + secret, signingKey))
}
