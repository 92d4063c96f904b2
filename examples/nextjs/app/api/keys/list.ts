import { listApiKeys, type ApiKeyPage, type ListApiKeysQuery } from '@sophra/api-keys'
import { invalidInput } from '@/lib/http'

const MAX_LIMIT = 10_000
const PAGE_LIMIT = 1_000

/** How many keys are wanted; else the response that says what is wrong. */
export function readLimit(text = String(MAX_LIMIT)): number | Response {
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= MAX_LIMIT) return limit
  return invalidInput(`limit must be a whole number from 1 to ${MAX_LIMIT}`, 'limit')
}

/** Up to 10,000 keys, of which the addon answers 1,000 at a time. */
export async function listKeys(
  { isActive, ...others }: Record<string, string>,
  wanted: number,
): Promise<ApiKeyPage> {
  // What is wrong or unknown goes on as it is, for the addon to refuse.
  const filters = { ...others, isActive: readBoolean(isActive) } as ListApiKeysQuery

  const keys: ApiKeyPage['keys'] = []
  let nextCursor = filters.cursor ?? null
  do {
    const size = Math.min(wanted - keys.length, PAGE_LIMIT)
    const page = await listApiKeys({ ...filters, cursor: nextCursor, limit: size })
    keys.push(...page.keys)
    nextCursor = page.nextCursor
  } while (nextCursor && keys.length < wanted)
  return { keys, nextCursor }
}

/** The same query from another cursor on; relative, since behind a proxy our own host is not known. */
export function linkToNext(request: Request, cursor: string): string {
  const { pathname, searchParams } = new URL(request.url)
  searchParams.set('cursor', cursor)
  // Two slashes would begin another host.
  const path = pathname.replace(/^\/+/, '/')
  return `<${path}?${searchParams}>; rel="next"`
}

function readBoolean(text?: string): unknown {
  return text === 'true' || text === 'false' ? text === 'true' : text
}
