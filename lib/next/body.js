'use strict'

const { failure, invalidInput } = require('./responses.js')

const MAX_BYTES = 64 * 1024

/** Reads a JSON object from a request: `{ value }`, or `{ refusal }` with the response to send. */
exports.readObject = async ({ body }) => {
  const bytes = await readBytes(body)
  if (!bytes) return { refusal: tooLarge() }
  const value = parsed(bytes)
  if (value === undefined) return { refusal: invalidInput('Request body must be valid JSON') }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { refusal: invalidInput('Request body must be a JSON object') }
  return { value }
}

/** Reads the body, or returns `undefined` once it exceeds the limit: `Content-Length` may be absent or wrong. */
async function readBytes(body) {
  const chunks = []
  let size = 0
  for await (const chunk of body?.values({ preventCancel: true }) ?? []) {
    size += chunk.byteLength
    if (size > MAX_BYTES) break
    chunks.push(chunk)
  }
  if (size <= MAX_BYTES) return Buffer.concat(chunks)
  discard(body)
  return undefined
}

/** Discards the rest as it arrives. Left unread, it would block the next request on the connection. */
function discard(body) {
  body.pipeTo(new WritableStream()).catch(() => {})
}

function parsed(bytes) {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}

const tooLarge = () =>
  failure({
    status: 413,
    code: 'PAYLOAD_TOO_LARGE',
    message: 'Request body must not exceed 64 KiB',
  })
