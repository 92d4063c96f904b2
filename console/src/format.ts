// Numbers, times and words for people.

const number = new Intl.NumberFormat()
const compact = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 })
const percent = new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 1 })
const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })

export const formatNumber = (value: number): string => number.format(value)
export const formatCompact = (value: number): string =>
  Math.abs(value) < 10_000 ? number.format(value) : compact.format(value)
export const formatPercent = (share: number): string => percent.format(share)
export const formatDateTime = (at: Date): string => dateTime.format(at)

/** `2026-11-30 09:05:12 UTC` */
export const formatUtc = (at: Date): string =>
  `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`

const DAY_SECONDS = 86_400
const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['week', 604_800],
  ['day', DAY_SECONDS],
  ['hour', 3_600],
  ['minute', 60],
]

/** `3 hours ago`, `in 10 days`: a single week, month or year would say too little. */
export function formatRelative(at: Date, now: Date = new Date()): string {
  const seconds = (at.getTime() - now.getTime()) / 1000
  for (const [unit, length] of UNITS) {
    const count = Math.trunc(seconds / length)
    const least = length > DAY_SECONDS ? 2 : 1
    if (Math.abs(count) >= least) return relative.format(count, unit)
  }
  return seconds > 0 ? 'in less than a minute' : 'just now'
}

const DURATIONS: [string, number][] = [
  ['day', DAY_SECONDS],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
]

/** `1 minute`, `90 seconds`, `24 hours`: in the largest unit that is exact. */
export function formatDuration(seconds: number): string {
  const [unit, length] = DURATIONS.find(([, length]) => seconds % length === 0) ?? ['second', 1]
  return counted(seconds / length, unit)
}

/** `1 key`, `12 keys` */
export const counted = (count: number, noun: string): string =>
  `${formatNumber(count)} ${count === 1 ? noun : `${noun}s`}`

/** `RATE_LIMITED` as `Rate limited` */
export function inWords(code: string): string {
  const words = code.toLowerCase().replaceAll(/[_.]/g, ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** A text that is shown as a link: only of http and https. Anything else is `null`. */
export function httpLink(text: unknown): string | null {
  if (typeof text !== 'string' || !URL.canParse(text)) return null
  const { protocol, href } = new URL(text)
  return protocol === 'https:' || protocol === 'http:' ? href : null
}

/** The lines of a text that are not empty, without the space around them. */
export const linesOf = (text: string): string[] =>
  text
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter(Boolean)

const KEY = /[A-Za-z0-9]{1,20}_(live|test)_[0-9A-Za-z]{12}_[0-9A-Za-z]{20,}/
const JWT = /\beyJ[\w-]+\.[\w-]+\.[\w-]+/

/** The key or the token in a text, which must not get into an address. */
export const secretIn = (text: string): string | undefined =>
  (KEY.exec(text) ?? JWT.exec(text))?.[0]

/** A text within single quotes of a shell. */
export const shellQuoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`

/** What an input of the type `datetime-local` shows of an instant, in the zone of the viewer. */
export function localInput(iso: string | null | undefined): string {
  if (!iso) return ''
  const at = new Date(iso)
  if (Number.isNaN(at.getTime())) return ''
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

/** The instant that such an input means. */
export const instantOf = (local: string): string | null =>
  local === '' || Number.isNaN(Date.parse(local)) ? null : new Date(local).toISOString()
