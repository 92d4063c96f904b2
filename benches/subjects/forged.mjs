/** (d) Forged keys: they have the right shape, the lookup of a real key and the right CRC, but no valid tag. */
import { randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'
import addon from '../../index.js'
import { FAST_HASH, KEYS, issueKeys } from '../keys.mjs'

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const [SECRET, TAG, CRC] = [32, 8, 6]

export async function open({ databaseUrl }) {
  const issued = await issueKeys({ databaseUrl, ...FAST_HASH }, KEYS)
  const forged = issued.map(forge)
  return [
    {
      title: 'forged key: right shape and CRC, wrong tag',
      call: (turn) => addon.verifyApiKey(forged[turn % KEYS]),
      accepts: (answer) => answer.code === 'INVALID_KEY',
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
