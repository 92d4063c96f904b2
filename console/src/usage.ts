// Usage over time as pages show it.

import { request } from './api.ts'
import type { Query } from './address.ts'
import { inWords } from './format.ts'
import type { Bucket } from './types.ts'

export interface Range {
  hours: number
  bucket: 'hour' | 'day'
}

export const RANGES: Record<string, Range & { text: string }> = {
  '24h': { hours: 24, bucket: 'hour', text: '24 hours' },
  '7d': { hours: 7 * 24, bucket: 'hour', text: '7 days' },
  '30d': { hours: 30 * 24, bucket: 'day', text: '30 days' },
  '90d': { hours: 90 * 24, bucket: 'day', text: '90 days' },
}

export const rangeOf = (name: string | null): string => (name && name in RANGES ? name : '7d')

export type Grouping = 'outcome' | 'tag'

/** The buckets of a range that ends now. */
export async function readUsage(
  of: Query,
  range: string,
  groupBy: string,
  signal: AbortSignal,
): Promise<Bucket[]> {
  const { hours, bucket } = RANGES[rangeOf(range)]!
  const to = new Date()
  const from = new Date(to.getTime() - hours * 3_600_000 + (bucket === 'hour' ? 3_600_000 : 0))
  // Days begin where the viewer is. What the server cannot cut so is cut by UTC.
  const timeZone = hasWholeHours(from) ? viewerZone() : 'UTC'
  const span = { from: from.toISOString(), to: to.toISOString(), bucket, groupBy, timeZone }
  return request<Bucket[]>('GET', 'usage', { query: { ...of, ...span }, signal })
}

const viewerZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'

/** Whether the hours of the viewer begin with those of UTC, since usage is kept in these. */
const hasWholeHours = (at: Date) => at.getTimezoneOffset() % 60 === 0

/** The sums of groups over the range, the largest first. */
export function totals(buckets: Bucket[], group: (bucket: Bucket) => string): [string, number][] {
  const sums = new Map<string, number>()
  for (const bucket of buckets) {
    const name = group(bucket)
    sums.set(name, (sums.get(name) ?? 0) + bucket.count)
  }
  return [...sums].filter(([, sum]) => sum > 0).sort(([, a], [, b]) => b - a)
}

export interface Series {
  name: string
  label: string
  values: number[]
  total: number
}

export interface Chart {
  /** The beginnings of the buckets, in seconds since 1970. */
  times: number[]
  series: Series[]
  total: number
}

const MOST_SERIES = 8

/** The groups as series, the largest first; those beyond the eighth are one. */
export function chartOf(buckets: Bucket[], grouping: Grouping): Chart {
  const starts = [...new Set(buckets.map(({ start }) => start))].sort()
  const places = new Map(starts.map((start, place) => [start, place]))
  const nameOf = (bucket: Bucket) =>
    grouping === 'outcome' ? (bucket.outcome ?? '') : (bucket.tag ?? '')
  const ranked = totals(buckets, nameOf).map(([name]) => name)
  if (grouping === 'outcome') ranked.sort((a, b) => Number(b === 'VALID') - Number(a === 'VALID'))
  const named = ranked.length > MOST_SERIES ? ranked.slice(0, MOST_SERIES - 1) : ranked
  const byName = new Map(named.map((name) => [name, emptySeries(name, grouping, starts.length)]))
  const rest = emptySeries('\0rest', grouping, starts.length)
  for (const bucket of buckets) {
    if (bucket.count === 0) continue
    const series = byName.get(nameOf(bucket)) ?? rest
    series.values[places.get(bucket.start)!]! += bucket.count
    series.total += bucket.count
  }
  const series = [...byName.values(), ...(rest.total > 0 ? [rest] : [])]
  return {
    times: starts.map((start) => Date.parse(start) / 1000),
    series,
    total: series.reduce((sum, { total }) => sum + total, 0),
  }
}

const emptySeries = (name: string, grouping: Grouping, length: number): Series => ({
  name,
  label: labelOf(name, grouping),
  values: Array<number>(length).fill(0),
  total: 0,
})

function labelOf(name: string, grouping: Grouping): string {
  if (name === '\0rest') return 'All others'
  if (grouping === 'tag') return name === '' ? 'Without a tag' : name
  return outcomeText(name)
}

const OUTCOMES: Record<string, string> = {
  VALID: 'Accepted',
  IP_NOT_ALLOWED: 'Address not allowed',
}

export const outcomeText = (outcome: string): string => OUTCOMES[outcome] ?? inWords(outcome)
