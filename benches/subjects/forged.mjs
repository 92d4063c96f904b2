/** (d) Forged keys: they have the right shape, the lookup of a real key and the right CRC, but no valid tag. */
import { randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'
import addon from '../../index.js'
import { FAST_HASH, KEYS, issueKeys } from '../keys.mjs'

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const [SECRET, TAG, CRC] = [32, 8, 6]

/** The most that an address may present, so that none of them is throttled: throttling spares the server the audit log's groups. */
const THROTTLE = 1_000_000
const ADDRESSES = Array.from({ length: KEYS }, (_, index) => `198.18.${index >> 8}.${index & 255}`)

export async function open({ databaseUrl }) {
  const issued = await issueKeys({ databaseUrl, throttle: THROTTLE, ...FAST_HASH }, KEYS)
  const forged = issued.map(forge)
  const accepts = (answer) => answer.code === 'INVALID_KEY'
  return [
    {
      title: 'forged key: right shape and CRC, wrong tag',
      call: (turn) => addon.verifyApiKey(forged[turn % KEYS]),
      accepts,
    },
    {
      title: 'forged key, with address and path',
      call: (turn) => {
        const ip = ADDRESSES[turn % KEYS]
        return addon.verifyApiKey(forged[turn % KEYS], { ip, path: '/api/documents' })
      },
      accepts,
    },
  ]
}

function forge(key) {
  if (withCrc(key.slice(0, -CRC)) !== key) throw new Error('The CRC is made differently')
  const known = key.slice(0, -(SECRET + TAG + CRC))
  const secret = Array.from({ length: SECRET }, () => BASE62[randomInt(62)]).join('')
  return withCrc(known + secret + base62(randomInt(2 ** 47), TAG))
}

function withCrc(body) {
  return body + base62(crc32(body), CRC)
}

function base62(number, length) {
  let text = ''
  for (let rest = number; text.length < length; rest = Math.floor(rest / 62)) {
    text = BASE62[rest % 62] + text
  }
  return text
}
