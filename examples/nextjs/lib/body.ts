import { invalidInput, json } from './http'

const MAX_BYTES = 64 * 1024

export type JsonObject = Record<string, unknown>

/** Reads a JSON object; what its fields hold is for the addon to check. Else the response that says what is wrong. */
export async function readObject(request: Request): Promise<JsonObject | Response> {
  const bytes = await readBytes(request)
  if (!bytes) {
    const error = 'Request body must not exceed 64 KiB'
    return json({ error, code: 'PAYLOAD_TOO_LARGE' }, 413)
  }
  const value = parsed(bytes)
  if (value === undefined) return invalidInput('Request body must be valid JSON')
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return invalidInput('Request body must be a JSON object')
  }
  return value as JsonObject
}

/** Only these fields of a body. */
export function only(body: JsonObject, fields: readonly string[]): JsonObject {
  return filterFields(body, (field) => fields.includes(field))
}

/** All fields of a body but these. */
export function without(body: JsonObject, fields: readonly string[]): JsonObject {
  return filterFields(body, (field) => !fields.includes(field))
}

function filterFields(body: JsonObject, keep: (field: string) => boolean): JsonObject {
  return Object.fromEntries(Object.entries(body).filter(([field]) => keep(field)))
}

/** Stops at the limit while reading, since `Content-Length` may be absent, or lie: `undefined`. */
async function readBytes({ body }: Request): Promise<Uint8Array | undefined> {
  if (!body) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body.values({ preventCancel: true })) {
    size += chunk.byteLength
    if (size > MAX_BYTES) break
    chunks.push(chunk)
  }
  if (size <= MAX_BYTES) return Buffer.concat(chunks)
  discard(body)
  return undefined
}

/** Throws the rest away as it comes: unread, it would block the client's next request. */
function discard(body: ReadableStream<Uint8Array>): void {
  body.pipeTo(new WritableStream()).catch(() => {})
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}
