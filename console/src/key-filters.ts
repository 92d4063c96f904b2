// The filters of the list of keys, as they stand in the address and as the server takes them.

import type { Query } from './address.ts'

export const FILTERS = [
  'search',
  'status',
  'clientId',
  'isActive',
  'createdBy',
  'createdAfter',
  'createdBefore',
  'expiresBefore',
  'unusedSince',
  'scope',
  'metadata',
] as const

export type FilterName = (typeof FILTERS)[number]

export const FILTER_LABELS: Record<FilterName, string> = {
  search: 'Search',
  status: 'Status',
  clientId: 'Client',
  isActive: 'Enabled',
  createdBy: 'Created by',
  createdAfter: 'Created after',
  createdBefore: 'Created before',
  expiresBefore: 'Expires before',
  unusedSince: 'Unused since',
  scope: 'Scope',
  metadata: 'Metadata',
}

export const SORTS = ['createdAt', 'lastUsedAt', 'expiresAt', 'usageCount', 'name'] as const
export type Sort = (typeof SORTS)[number]

export const PAGE_SIZES = ['25', '50', '100', '250'] as const
const DEFAULT_PAGE_SIZE = '50'

/** The fewest characters that are searched for. */
export const SEARCH_LENGTH = 3

/** The filters of an address. A text too short to be searched for is none yet. */
export function filtersOf(query: URLSearchParams): Partial<Record<FilterName, string>> {
  const given = FILTERS.map((name) => [name, query.get(name) ?? ''] as const)
  return Object.fromEntries(
    given.filter(([name, value]) =>
      name === 'search' ? [...value.trim()].length >= SEARCH_LENGTH : value !== '',
    ),
  )
}

export const sortOf = (query: URLSearchParams): Sort =>
  SORTS.find((sort) => sort === query.get('sort')) ?? 'createdAt'

/** Names read from A to Z, and all else from the newest or the most. */
export const orderOf = (query: URLSearchParams): 'asc' | 'desc' =>
  query.get('order') === 'asc' ? 'asc' : 'desc'

export const pageSizeOf = (query: URLSearchParams): string =>
  PAGE_SIZES.find((size) => size === query.get('limit')) ?? DEFAULT_PAGE_SIZE

/** What the server is asked for. */
export const listQuery = (query: URLSearchParams): Query => ({
  ...filtersOf(query),
  sort: sortOf(query),
  order: orderOf(query),
  limit: pageSizeOf(query),
  cursor: query.get('cursor'),
})

/** The same filters in the body of a revocation, whose fields are values and not texts. */
export function whereOf(query: URLSearchParams): Record<string, unknown> {
  const { isActive, metadata, ...texts } = filtersOf(query)
  return {
    ...texts,
    ...(isActive === undefined ? {} : { isActive: isActive === 'true' }),
    ...(metadata === undefined ? {} : { metadata: JSON.parse(metadata) as unknown }),
  }
}

export interface View {
  text: string
  query: Record<string, string>
}

const DAY = 86_400_000

/** Views that are often wanted. Those with instants mean whole days, so that they stay the same address for a day. */
export function views(now: Date): View[] {
  const day = (offset: number) =>
    new Date(Math.floor(now.getTime() / DAY) * DAY + offset * DAY).toISOString()
  return [
    { text: 'All', query: {} },
    { text: 'Active', query: { status: 'active' } },
    { text: 'Suspended', query: { status: 'suspended' } },
    {
      text: 'Expiring',
      query: { status: 'active', expiresBefore: day(31), sort: 'expiresAt', order: 'asc' },
    },
    { text: 'Unused for 90 days', query: { status: 'active', unusedSince: day(-90) } },
    { text: 'Revoked', query: { status: 'revoked' } },
  ]
}

/** Whether an address shows exactly this view. */
export function isView(query: URLSearchParams, view: View): boolean {
  const shown = [...FILTERS, 'sort', 'order'].filter((name) => query.get(name))
  const wanted = Object.entries(view.query)
  return (
    shown.length === wanted.length && wanted.every(([name, value]) => query.get(name) === value)
  )
}
