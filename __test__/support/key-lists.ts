import { addon } from './addon.js'

export type Query = NonNullable<Parameters<typeof addon.listApiKeys>[0]>
export type Key = Awaited<ReturnType<typeof addon.listApiKeys>>['keys'][number]

/** The keys of all pages. */
export async function walk(query: Query): Promise<Key[]> {
  const seen: Key[] = []
  let cursor: string | null = null
  do {
    const page: { keys: Key[]; nextCursor: string | null } = await addon.listApiKeys({
      ...query,
      cursor,
    })
    seen.push(...page.keys)
    cursor = page.nextCursor
  } while (cursor)
  return seen
}

const nameOrder = (key: Key): string => key.name.toUpperCase().toLowerCase()

/** What lists are sorted by. */
export const SORTS: [NonNullable<Query['sort']>, (key: Key) => number | string | null][] = [
  ['createdAt', (key) => key.createdAt.getTime()],
  ['lastUsedAt', (key) => key.lastUsedAt?.getTime() ?? null],
  ['expiresAt', (key) => key.expiresAt?.getTime() ?? null],
  ['usageCount', (key) => key.usageCount],
  ['name', nameOrder],
]

const less = (a: number | string, b: number | string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The ids of these keys in an order; `null` last both ways. */
export function sorted(
  keys: Key[],
  valueOf: (key: Key) => number | string | null,
  direction: number,
): string[] {
  const compare = (a: Key, b: Key): number => {
    const [first, second] = [valueOf(a), valueOf(b)]
    if ((first === null) !== (second === null)) return first === null ? 1 : -1
    const byValue = first === null || second === null ? 0 : less(first, second)
    return direction * (byValue || less(a.id, b.id))
  }
  return [...keys].sort(compare).map(({ id }) => id)
}
