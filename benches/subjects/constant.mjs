/**
 * (a) The call alone: an async function that makes the native call of a warm verify. In a process that has not started the
 * addon, the native call reads its arguments and always returns `undefined`.
 */
import native from '../../native.js'
import { IP, SCOPES } from '../keys.mjs'

const KEY = `sophra_live_${'0'.repeat(12)}_${'0'.repeat(46)}`
const ANSWER = Object.freeze({ valid: true })
const { verifyWarm } = native.warmPath()

export async function open() {
  return [
    {
      title: 'the call alone, answering a constant',
      call: () => verify(KEY, { ip: IP, scopes: SCOPES }),
      accepts: (answer) => answer === ANSWER,
    },
  ]
}

async function verify(key, { ip, scopes }) {
  return verifyWarm(key, ip, scopes[0], 1) === undefined ? ANSWER : undefined
}
