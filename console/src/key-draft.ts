// A key as the form has it, in texts, and as the server takes it.

import { instantOf, linesOf, localInput } from './format.ts'
import type { Key, Limit, QuotaRule } from './types.ts'

export interface LimitDraft {
  name: string
  limit: string
  windowSeconds: string
  suspends: boolean
}

export interface QuotaDraft {
  name: string
  amount: string
  period: QuotaRule['period']
  timeZone: string
  anchorDay: string
}

export interface KeyDraft {
  name: string
  clientId: string
  kind: string
  environment: string
  description: string
  isActive: boolean
  /** Days from now, `never`, `at` for an instant, or `default` for that of the server. */
  expiry: string
  expiresAt: string
  maxIdleDays: string
  scopes: string[]
  /** Further scopes, one a line. */
  otherScopes: string
  roles: string[]
  allowedIps: string
  /** `any`, `none` or `some`. */
  originRule: string
  origins: string
  rateLimit: string
  rateLimitWindowSeconds: string
  limits: LimitDraft[]
  quotas: QuotaDraft[]
  metadata: string
}

export const emptyDraft = (fields: Partial<KeyDraft> = {}): KeyDraft => ({
  name: '',
  clientId: '',
  kind: '',
  environment: '',
  description: '',
  isActive: true,
  expiry: 'default',
  expiresAt: '',
  maxIdleDays: '',
  scopes: [],
  otherScopes: '',
  roles: [],
  allowedIps: '',
  originRule: 'any',
  origins: '',
  rateLimit: '',
  rateLimitWindowSeconds: '',
  limits: [],
  quotas: [],
  metadata: '',
  ...fields,
})

export const PUBLISHABLE = 'publishable'

/** What of a key can be changed, as texts. Scopes of the catalogue are choices, others are lines. */
export function draftOf(key: Key, catalogue: readonly string[]): KeyDraft {
  return emptyDraft({
    name: key.name,
    clientId: key.clientId,
    kind: key.kind,
    environment: key.environment,
    description: key.description ?? '',
    isActive: key.isActive,
    expiry: key.expiresAt === null ? 'never' : 'at',
    expiresAt: localInput(key.expiresAt),
    maxIdleDays: textOf(key.maxIdleDays),
    scopes: key.scopes.filter((scope) => catalogue.includes(scope)),
    otherScopes: key.scopes.filter((scope) => !catalogue.includes(scope)).join('\n'),
    roles: [...key.roles],
    allowedIps: key.allowedIps.join('\n'),
    originRule: key.origins === null ? 'any' : key.origins.length === 0 ? 'none' : 'some',
    origins: (key.origins ?? []).join('\n'),
    rateLimit: textOf(key.rateLimit),
    rateLimitWindowSeconds: textOf(key.rateLimitWindowSeconds),
    limits: limitDrafts(key.limits),
    quotas: quotaDrafts(key.quotas),
    metadata: key.metadata === null ? '' : JSON.stringify(key.metadata, null, 2),
  })
}

export const limitDrafts = (limits: readonly Limit[] = []): LimitDraft[] =>
  limits.map(({ name, limit, windowSeconds, suspends }) => ({
    name,
    limit: String(limit),
    windowSeconds: String(windowSeconds),
    suspends: suspends ?? false,
  }))

export const quotaDrafts = (quotas: readonly QuotaRule[] = []): QuotaDraft[] =>
  quotas.map(({ name, amount, period, timeZone, anchorDay }) => ({
    name,
    amount: String(amount),
    period,
    timeZone: timeZone ?? '',
    anchorDay: textOf(anchorDay ?? null),
  }))

const textOf = (value: number | null): string => (value === null ? '' : String(value))

/** The number of a field. What is none is passed on as it is: the server names it. */
export const numberOf = (text: string): number | string | null => {
  const trimmed = text.trim()
  if (trimmed === '') return null
  return /^\d{1,15}$/.test(trimmed) ? Number(trimmed) : trimmed
}

export const limitsOf = (drafts: LimitDraft[]): unknown[] =>
  drafts.map(({ name, limit, windowSeconds, suspends }) => ({
    name: name.trim(),
    limit: numberOf(limit),
    windowSeconds: numberOf(windowSeconds),
    ...(suspends ? { suspends } : {}),
  }))

export const quotasOf = (drafts: QuotaDraft[]): unknown[] =>
  drafts.map(({ name, amount, period, timeZone, anchorDay }) => ({
    name: name.trim(),
    amount: numberOf(amount),
    period,
    ...(timeZone.trim() === '' ? {} : { timeZone: timeZone.trim() }),
    ...(anchorDay.trim() === '' || period === 'day' || period === 'total'
      ? {}
      : { anchorDay: numberOf(anchorDay) }),
  }))

/** Thrown for what the page itself finds wrong. */
export class DraftProblem extends Error {
  readonly field: string
  constructor(field: string, message: string) {
    super(message)
    this.field = field
  }
}

export function metadataOf(text: string): Record<string, unknown> | null {
  if (text.trim() === '') return null
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch {
    // Said below.
  }
  throw new DraftProblem('metadata', 'Must be a JSON object')
}

const DAY = 86_400_000

/** When the key expires; `undefined` leaves it to the server. */
function expiryOf({ expiry, expiresAt }: KeyDraft, now: Date): string | null | undefined {
  if (expiry === 'default') return undefined
  if (expiry === 'never') return null
  if (expiry !== 'at') return new Date(now.getTime() + Number(expiry) * DAY).toISOString()
  const instant = instantOf(expiresAt)
  if (instant === null) throw new DraftProblem('expiresAt', 'Choose a date and a time')
  return instant
}

function originsOf({ kind, originRule, origins }: KeyDraft): string[] | null {
  if (kind !== PUBLISHABLE || originRule === 'any') return null
  return originRule === 'none' ? [] : linesOf(origins)
}

/** The fields that can be set at any time. Throws a `DraftProblem`. */
export function bodyOf(draft: KeyDraft, now: Date = new Date()): Record<string, unknown> {
  const expiresAt = expiryOf(draft, now)
  return {
    name: draft.name.trim(),
    clientId: draft.clientId.trim(),
    description: draft.description.trim() === '' ? null : draft.description,
    isActive: draft.isActive,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    maxIdleDays: numberOf(draft.maxIdleDays),
    scopes: [...new Set([...draft.scopes, ...linesOf(draft.otherScopes)])],
    roles: draft.roles,
    allowedIps: linesOf(draft.allowedIps),
    origins: originsOf(draft),
    rateLimit: numberOf(draft.rateLimit),
    rateLimitWindowSeconds: numberOf(draft.rateLimitWindowSeconds),
    limits: limitsOf(draft.limits),
    quotas: quotasOf(draft.quotas),
    metadata: metadataOf(draft.metadata),
  }
}

/**
 * A new key. What is left empty is left out, so that the defaults of its kind hold.
 */
export function newKeyOf(draft: KeyDraft, now?: Date): Record<string, unknown> {
  const { scopes, rateLimit, rateLimitWindowSeconds, ...body } = bodyOf(draft, now)
  return {
    ...body,
    ...(draft.kind === '' ? {} : { kind: draft.kind }),
    ...(draft.environment === '' ? {} : { environment: draft.environment }),
    ...((scopes as string[]).length === 0 ? {} : { scopes }),
    ...(rateLimit === null ? {} : { rateLimit }),
    ...(rateLimitWindowSeconds === null ? {} : { rateLimitWindowSeconds }),
  }
}

/** The fields that differ from those of a key. */
export function changesOf(key: Key, draft: KeyDraft): Record<string, unknown> {
  const before = key as unknown as Record<string, unknown>
  const isSame = (name: string, value: unknown) =>
    canonical(before[name] ?? null) === canonical(value ?? null)
  const changes = Object.entries(bodyOf(draft)).filter(([name, value]) => {
    // The field shows minutes, and an instant is kept to the millisecond.
    if (name === 'expiresAt')
      return localInput(key.expiresAt) !== localInput(value as string | null)
    return !isSame(name, value)
  })
  return Object.fromEntries(changes)
}

/** JSON that does not depend on the order of fields, and in which `suspends: false` is as if absent. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (name, inner: unknown) => {
    if (name === 'suspends' && inner === false) return undefined
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}

/** The messages of the server by the field that each is about. */
export function problemsByField(
  issues: { path: string; message: string }[],
): Record<string, string> {
  const problems: Record<string, string> = {}
  for (const { path, message } of issues) {
    const field = /^\w+/.exec(path)?.[0] ?? ''
    problems[field] ??= message
  }
  return problems
}
