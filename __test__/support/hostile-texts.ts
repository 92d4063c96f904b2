import { expect } from 'vitest'
import { addon } from './addon.js'

/** Texts that log readers, terminals and parsers might act upon. */
export const hostile: Record<string, string> = {
  CR: 'a\rb',
  LF: 'a\n{"type":"forged"}\nb',
  CRLF: 'a\r\n\r\nb',
  'escape sequences': 'a\u001b[2J\u001b]0;owned\u0007\bb',
  'C1 controls': 'a\u0080\u0085\u009b31m\u009f\u007fb',
  NUL: 'a\u0000b',
  'bidi overrides': 'a\u202a\u202b\u202c\u202d\u202eb',
  'bidi isolates': 'a\u2066\u2067\u2068\u2069b',
  separators: 'a\u2028\u2029b',
  invisible: 'a\u00ad\u061c\u200b\u200e\u200f\u2060\ufeff\u{e0041}b',
  'a high surrogate alone': 'a\ud800b',
  'a low surrogate alone': '\udc00',
  'the end of JSON': 'a"}{"type":"forged","x":"\\',
  '1 MiB': 'x'.repeat(1 << 20),
  '1 MiB of overrides': '\u202e'.repeat(1 << 20),
}

export const named = Object.entries(hostile)

/** The text as UTF-8, which has no lone surrogates. */
export const wellFormed = (text: string): string => Buffer.from(text).toString()

/** Control, format and separating characters, and lone surrogates. */
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u

/** Characters of the largest event or error, as JSON. */
const SIZE_MAX = 128 * 1024

/** Every text in a value, names of fields included. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return [...Object.keys(value), ...Object.values(value).flatMap(textsIn)]
}

const printable = (text: string): string =>
  JSON.stringify(text.slice(0, 200)).replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`)

/** Nothing in it can be acted upon, and it is of a bounded size. */
export function expectHarmless(value: unknown, what: string): void {
  const found = textsIn(value).filter((text) => unsafe.test(text))
  if (found.length > 0) expect.fail(`${what}: ${printable(found[0]!)}`)
  const size = JSON.stringify(value)?.length ?? 0
  if (size > SIZE_MAX) expect.fail(`${what}: ${size} characters`)
}

/** Lines on stderr: each is one event, in printable ASCII. */
export function eventsOf(stderr: string): Record<string, unknown>[] {
  if (stderr === '') return []
  expect(stderr.endsWith('\n')).toBe(true)
  return stderr
    .slice(0, -1)
    .split('\n')
    .map((line) => {
      if (!/^\{[ -~]*\}$/.test(line)) expect.fail(`no line: ${printable(line)}`)
      const event = JSON.parse(line) as Record<string, unknown>
      expectHarmless(event, 'a line')
      expect(event).toMatchObject({ type: expect.stringMatching(/^[a-z]+\.[a-z]+$/) })
      return event
    })
}

type AuditEvent = Awaited<ReturnType<typeof addon.listAuditEvents>>['events'][number]

/** The whole audit log. */
export async function auditLog(): Promise<AuditEvent[]> {
  await addon.flush()
  const events: AuditEvent[] = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<typeof addon.listAuditEvents>> = await addon.listAuditEvents({
      limit: 1_000,
      cursor,
    })
    events.push(...page.events)
    cursor = page.nextCursor
  } while (cursor)
  return events
}
