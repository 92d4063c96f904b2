'use strict'

const { failure, invalidInput } = require('./responses.js')

const KIB = 1024
const MAX_BYTES = 64 * KIB
/** Of what may hold 1,000 scopes. */
const MAX_BYTES_WITH_SCOPES = 256 * KIB

exports.MAX_BYTES_WITH_SCOPES = MAX_BYTES_WITH_SCOPES

/** Reads a JSON object from a request: `{ value }`, or `{ refusal }` with the response to send. */
exports.readObject = async (request, most = MAX_BYTES) => {
  const { bytes, refusal } = await exports.readBytes(request, most)
  if (refusal) return { refusal }
  const value = exports.parsed(bytes)
  if (value === undefined) return { refusal: invalidInput('Request body must be valid JSON') }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { refusal: invalidInput('Request body must be a JSON object') }
  return { value }
}

/** Reads the body: `{ bytes }`, or `{ refusal }` once it exceeds the limit. `Content-Length` may be absent or wrong. */
exports.readBytes = async ({ body }, most) => {
  const chunks = []
  let size = 0
  for await (const chunk of body?.values({ preventCancel: true }) ?? []) {
    size += chunk.byteLength
    if (size > most) break
    chunks.push(chunk)
  }
  if (size <= most) return { bytes: Buffer.concat(chunks) }
  discard(body)
  return { refusal: tooLarge(most) }
}

/** Discards the rest as it arrives. Left unread, it would block the next request on the connection. */
function discard(body) {
  body.pipeTo(new WritableStream()).catch(() => {})
}

/** The value of JSON, or `undefined` if it is none. */
exports.parsed = (bytes) => {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}

const tooLarge = (most) =>
  failure({
    status: 413,
    code: 'PAYLOAD_TOO_LARGE',
    message: `Request body must not exceed ${most / KIB} KiB`,
  })
