// Compiled, never run: what an application writes against the published types.
import {
  ApiKeyError,
  close,
  configure,
  createAdminToken,
  createApiKey,
  deleteApiKey,
  deleteClient,
  deleteWebhook,
  exportUsage,
  flush,
  getApiKey,
  getClient,
  getQuota,
  getUsage,
  grantQuota,
  health,
  isApiKeyError,
  listAdminTokens,
  listApiKeys,
  listAuditEvents,
  listClients,
  listDeliveries,
  listWebhooks,
  migrate,
  patchApiKey,
  redeliver,
  restoreApiKey,
  revokeAdminToken,
  revokeApiKey,
  revokeApiKeys,
  reportLeakedKeys,
  revokePresentedKey,
  setClient,
  setWebhook,
  updateApiKey,
  verifyAdminToken,
  verifyApiKey,
  type AdminToken,
  type AdminVerification,
  type ApiKey,
  type ApiKeyFilter,
  type ApiKeyStatus,
  type Client,
  type DeliveryPage,
  type DeliveryState,
  type ExportedUsage,
  type IssuedAdminToken,
  type IssuedApiKey,
  type LimitLevel,
  type LimitState,
  type NoticeType,
  type Quota,
  type QuotaPeriod,
  type QuotaState,
  type ScopeQuery,
  type RevocationReason,
  type RevokeApiKeysInput,
  type LeakedKeyReport,
  type ReportedKey,
  type RevokedApiKeys,
  type SetWebhookResult,
  type UsageBucket,
  type UsageGroup,
  type UsageOutcome,
  type Verification,
  type Webhook,
} from '@sophra/api-keys'

export function start(): void {
  configure({})
  configure({
    databaseUrl: 'postgres://localhost/app',
    directDatabaseUrl: 'postgres://localhost/app',
    jwtSecret: 'secret',
    migrate: 'manual',
    prefixes: ['acme', 'sophra'],
    environment: 'test',
    signingKeys: ['base64'],
    argon2MemoryKib: 8,
    argon2Iterations: 1,
    hashPermits: 1,
    rateLimitWindowSeconds: 60,
    suspensionSeconds: 0,
    maxIdleDays: 90,
    lastUsedIp: 'on',
    flushIntervalMs: 1_000,
    usageIntervalMaxMs: 30_000,
    defaultTtlDays: 30,
    maxTtlDays: 365,
    usageQuarterHoursRetentionDays: 14,
    usageHoursRetentionDays: 400,
    poolMax: 10,
    statementTimeoutMs: 1_500,
    trustedProxies: ['10.0.0.0/8'],
    trustedHops: null,
  })
  // @ts-expect-error one of two
  configure({ environment: 'staging' })
  // @ts-expect-error no such option
  configure({ databaseURL: 'x' })
}

export async function keys(): Promise<void> {
  const issued: IssuedApiKey = await createApiKey({ name: 'n', clientId: 'c' })
  const plaintext: string = issued.key
  const asKey: ApiKey = issued
  await createApiKey({
    name: 'n',
    clientId: 'c',
    description: null,
    isActive: true,
    expiresAt: new Date(),
    allowedIps: ['10.0.0.0/8'],
    rateLimit: 10,
    rateLimitWindowSeconds: null,
    scopes: ['docs:*'],
    metadata: { plan: 'pro', nested: { list: [1, null] } },
  })
  await createApiKey({ name: 'n', clientId: 'c', expiresAt: '2094-01-01T00:00:00Z' })
  // @ts-expect-error clientId is required
  await createApiKey({ name: 'n' })
  // @ts-expect-error protected
  await createApiKey({ name: 'n', clientId: 'c', usageCount: 1 })

  const found: ApiKey | null = await getApiKey(issued.id)
  // @ts-expect-error may be null
  void found.name
  const { keys, nextCursor } = await listApiKeys({ limit: 10, search: 'abc', isActive: true })
  const more: string | null = nextCursor
  await listApiKeys()
  await listApiKeys({ cursor: more, clientId: null })
  const filter: ApiKeyFilter = { status: 'active', scope: 'docs:read', metadata: { plan: 'pro' } }
  const { keys: idle } = await listApiKeys({
    ...filter,
    unusedSince: new Date(),
    createdBefore: '2026-01-01',
    sort: 'lastUsedAt',
    order: 'asc',
  })
  for (const { status } of idle) void (status satisfies ApiKeyStatus)
  // @ts-expect-error no such order
  await listApiKeys({ sort: 'id' })

  // @ts-expect-error an event only
  await listAuditEvents({ type: 'keys.revoked' })
  const { events } = await listAuditEvents({ type: 'key.refused' })
  for (const event of events) {
    const at: Date = event.at
    if (event.type === 'key.refused') void (event.reason satisfies string)
    if (event.type === 'key.issued') void (event.keyId satisfies string)
    // @ts-expect-error an event only
    void (event.type === 'keys.revoked')
    // @ts-expect-error not kept
    void (event.severity satisfies string)
    void at
  }

  const [first] = keys
  if (first) {
    const dates: (Date | null)[] = [first.createdAt, first.expiresAt, first.lastUsedAt]
    const numbers: (number | null)[] = [first.usageCount, first.rateLimit]
    const lists: string[][] = [first.scopes, first.allowedIps]
    const start: string | null = first.start
    void [dates, numbers, lists, start]
    // @ts-expect-error never there
    void first.key
  }

  const changed = await updateApiKey({
    id: 'x',
    name: 'n',
    regenerateKey: true,
    gracePeriodSeconds: 9,
  })
  const fresh: string | undefined = changed.key
  const patched: ApiKey = await patchApiKey({
    id: 'x',
    description: null,
    expiresAt: null,
    suspendedUntil: null,
    previousKeyExpiresAt: null,
    maxIdleDays: 90,
  })
  const days: number | null = patched.maxIdleDays
  const uses: (Date | null)[] = [patched.currentKeyFirstUsedAt, patched.previousKeyLastUsedAt]
  const from: string | null = patched.lastUsedIp
  // @ts-expect-error read-only
  await patchApiKey({ id: 'x', lastUsedIp: null })
  // @ts-expect-error null only
  await patchApiKey({ id: 'x', suspendedUntil: new Date() })
  // @ts-expect-error id is required
  await patchApiKey({ name: 'n' })
  const revoked: ApiKey = await revokeApiKey({ id: 'x', reason: 'compromised', note: 'n' })
  const reason: RevocationReason | null = revoked.revokedReason
  const bulk: RevokeApiKeysInput = { where: { clientId: 'c' }, reason: 'cessation', dryRun: true }
  const { count }: RevokedApiKeys = await revokeApiKeys(bulk, { actor: 'a' })
  await revokeApiKeys({ where: { status: 'expired' }, expectedCount: count })
  // @ts-expect-error where is required
  await revokeApiKeys({ reason: 'unused' })
  // @ts-expect-error no such reason
  await revokeApiKey({ id: 'x', reason: 'because' })
  const presented: boolean = await revokePresentedKey(undefined, { ip: null, path: '/' })
  await revokePresentedKey(['x'])
  // @ts-expect-error the reason is always the same
  await revokePresentedKey('x', { reason: 'unused' })
  const texts: LeakedKeyReport[] = [{ key: 'x' }, { key: 'x', url: null, source: 'npm' }]
  const known: ReportedKey[] = await reportLeakedKeys(texts, { action: 'notify', actor: 'a' })
  const leaked: string[] = known.flatMap(({ keyId }) => keyId ?? [])
  // @ts-expect-error the action is required
  await reportLeakedKeys(texts, {})
  // @ts-expect-error no such action
  await reportLeakedKeys(texts, { action: 'delete' })
  const restored: ApiKey = await restoreApiKey('x', { actor: 'a' })
  const nothing: void = await deleteApiKey('x')
  void [reason, presented, leaked, restored]
  void [plaintext, asKey, fresh, patched, nothing, days, uses, from]
}

export async function clients(): Promise<void> {
  const client: Client = await setClient(
    {
      clientId: 'c',
      name: 'n',
      isActive: true,
      metadata: { plan: 'pro' },
      allowedIps: ['10.0.0.0/8'],
      maxKeys: 10,
      parentId: null,
    },
    { actor: 'ann' },
  )
  await setClient({ clientId: 'c', name: null, metadata: null, allowedIps: null, maxKeys: null })
  // @ts-expect-error clientId is required
  await setClient({ name: 'n' })
  // @ts-expect-error cannot be cleared
  await setClient({ clientId: 'c', isActive: null })
  // @ts-expect-error counted, not set
  await setClient({ clientId: 'c', keyCount: 1 })
  const found: Client | null = await getClient('c')
  // @ts-expect-error may be null
  void found.name
  await listClients()
  const { clients, nextCursor } = await listClients({ limit: 10, search: 'abc', cursor: null })
  const rows: Client[] = clients
  const more: string | null = nextCursor
  const dates: Date[] = [client.createdAt, client.updatedAt]
  const count: number = client.keyCount
  const nothing: void = await deleteClient('c', { actor: 'ann' })
  void [rows, more, dates, count, nothing]
}

export async function quotas(): Promise<void> {
  const monthly: Quota = { name: 'tokens', amount: 1_000, period: 'month' }
  const all: Quota[] = [monthly, { ...monthly, timeZone: 'Europe/Oslo', anchorDay: 31 }]
  await createApiKey({ name: 'n', clientId: 'c', quotas: all })
  const { quotas } = await setClient({ clientId: 'c', quotas: all })
  await patchApiKey({ id: 'x', quotas: null })
  // @ts-expect-error no such period
  await setClient({ clientId: 'c', quotas: [{ ...monthly, period: 'year' }] })
  const state: QuotaState = await getQuota({ clientId: 'c', name: 'tokens' })
  const period: QuotaPeriod = state.period
  const numbers: number[] = [state.amount, state.used, state.granted, state.withheld]
  const resetsAt: Date | null = state.resetsAt
  const more: QuotaState = await grantQuota(
    { keyId: 'k', name: 'tokens', amount: 5, expiresAt: new Date() },
    { actor: 'ann' },
  )
  await grantQuota({ clientId: 'c', name: 'tokens', amount: 5, expiresAt: null })
  // @ts-expect-error amount is required
  await grantQuota({ clientId: 'c', name: 'tokens' })
  // @ts-expect-error name is required
  await getQuota({ clientId: 'c' })
  void [quotas, period, numbers, resetsAt, more.remaining]
}

export async function webhooks(): Promise<void> {
  const url = 'https://example.com/hook'
  const made: SetWebhookResult = await setWebhook(
    { url, types: ['key.revoked'], isActive: true },
    { actor: 'ann' },
  )
  const secret: string | undefined = made.secret
  await setWebhook({ id: made.id, types: null, rotateSecret: true })
  // @ts-expect-error no such type
  await setWebhook({ url, types: ['key.unheard'] })
  const all: Webhook[] = await listWebhooks()
  const types: NoticeType[] | null | undefined = all[0]?.types
  // @ts-expect-error a secret is not listed
  all[0]?.secret
  const page: DeliveryPage = await listDeliveries({ webhookId: made.id, state: 'dead', limit: 5 })
  const state: DeliveryState | undefined = page.deliveries[0]?.state
  await redeliver(page.deliveries[0]!.id)
  const nothing: void = await deleteWebhook(made.id, { actor: 'ann' })
  void [secret, types, state, nothing]
}

export async function usage(): Promise<void> {
  const groupBy: UsageGroup[] = ['keyId', 'clientId', 'tag', 'outcome']
  const range = { from: '2026-01-01T00:00:00Z', to: new Date(), bucket: 'day' } as const
  const [bucket] = await getUsage({ ...range, clientId: 'c', groupBy, timeZone: 'Europe/Berlin' })
  const found: UsageBucket = bucket!
  const start: Date = found.start
  const figures: number[] = [found.count, found.cost]
  const outcome: UsageOutcome | undefined = found.outcome
  const tag: string | null | undefined = found.tag
  // @ts-expect-error no such bucket
  await getUsage({ ...range, bucket: 'week' })
  // @ts-expect-error no such group
  await getUsage({ ...range, groupBy: ['name'] })
  // @ts-expect-error from is required
  await getUsage({ to: new Date(), bucket: 'hour' })
  // @ts-expect-error of an unknown key, nothing is counted
  const unknown: UsageOutcome = 'INVALID_KEY'
  await exportUsage()
  const rows: ExportedUsage[] = await exportUsage({ after: '42', limit: 10 })
  const [hour, ids] = [rows[0]!.hour, rows.map(({ id, keyId, clientId }) => [id, keyId, clientId])]
  const exported: Date = hour
  // @ts-expect-error an id is text
  await exportUsage({ after: 42 })
  void [start, figures, outcome, tag, unknown, exported, ids]
}

export async function verify(): Promise<string> {
  const context = { ip: '10.0.0.1', scopes: ['docs:read'], cost: 2, path: '/api/search' }
  await verifyApiKey('key', { cost: { tokens: 500, images: 0 }, tag: '/search' })
  // @ts-expect-error numbers
  await verifyApiKey('key', { cost: { tokens: '500' } })
  const query: ScopeQuery = { any: ['admin', { all: ['docs:read', 'docs:write'] }] }
  await verifyApiKey('key', { scopes: query })
  await verifyApiKey('key', { scopes: ['docs:read', query] })
  // @ts-expect-error a list, or a group
  await verifyApiKey('key', { scopes: 'docs:read' })
  // @ts-expect-error no such group
  await verifyApiKey('key', { scopes: { none: ['docs:read'] } })
  const answer: Verification = await verifyApiKey('key', { ...context, peek: false })
  if (answer.valid) {
    const code: 'VALID' = answer.code
    const remaining: number | undefined = answer.rateLimit?.remaining
    const ids: string[] = [answer.keyId, answer.name, answer.clientId, ...answer.scopes]
    const expires: Date | null = answer.expiresAt
    const limits: LimitState[] = answer.limits
    void [code, remaining, ids, expires, answer.metadata, limits]
    // @ts-expect-error only of a refusal
    void answer.status
    return answer.clientId
  }
  const status: 401 | 403 | 429 = answer.status
  const retry: number | undefined = answer.retryAfterMs
  const level: LimitLevel | undefined = answer.limitedBy?.level
  const why: 'idle' | undefined = answer.reason
  const missing: string[] | undefined = answer.missingScopes
  void missing
  void [
    status,
    retry,
    answer.keyId,
    answer.rateLimit?.resetMs,
    answer.limits?.[0]?.name,
    level,
    why,
  ]
  // @ts-expect-error only of a valid key
  void answer.clientId
  switch (answer.code) {
    case 'MISSING_KEY':
    case 'INVALID_KEY':
    case 'WRONG_KIND':
    case 'WRONG_ENVIRONMENT':
    case 'EXPIRED':
    case 'REVOKED':
    case 'DISABLED':
    case 'CLIENT_DISABLED':
    case 'IP_NOT_ALLOWED':
    case 'ORIGIN_NOT_ALLOWED':
    case 'INSUFFICIENT_SCOPE':
    case 'RATE_LIMITED':
    case 'QUOTA_EXCEEDED':
    case 'SUSPENDED':
    case 'THROTTLED':
    case 'MISSING_KEY':
      return answer.message
    default:
      return unreachable(answer)
  }
}

function unreachable(value: never): never {
  throw new Error(String(value))
}

export async function admin(): Promise<void> {
  const issued: IssuedAdminToken = await createAdminToken({
    name: 'Ops',
    description: null,
    permissions: ['keys:read'],
    expiresInSeconds: 3_600,
  })
  const answer: AdminVerification = await verifyAdminToken(issued.token, {
    permission: 'keys:read',
  })
  if (answer.valid) {
    const permissions: string[] = answer.permissions
    void [permissions, answer.tokenId, answer.name]
  } else {
    const status: 401 | 403 = answer.status
    const code: 'INVALID_TOKEN' | 'INSUFFICIENT_PERMISSION' | 'MISSING_TOKEN' = answer.code
    void [status, code, answer.message]
  }
  const tokens: AdminToken[] = await listAdminTokens()
  // @ts-expect-error never there
  void tokens[0]?.token
  await revokeAdminToken(issued.id)
}

export async function operate(): Promise<void> {
  const { applied, adopted, remaining } = await migrate()
  await migrate({ adopt: false })
  const { allPermissions } = await migrate({ adopt: true, limit: 10 })
  const names: string[] | undefined = allPermissions?.map(({ name }) => name)
  void names
  const { status, problems, staleForMs, usagePending, usageIntervalMs } = await health()
  const state: 'ok' | 'degraded' | 'down' = status
  void [
    applied.length + adopted + remaining,
    state,
    problems.join(),
    staleForMs,
    usagePending,
    usageIntervalMs,
  ]
  await flush()
  await close()
}

export async function errors(
  headers: Record<string, string | string[] | undefined>,
): Promise<void> {
  try {
    await verifyApiKey(headers['x-api-key'])
    await verifyApiKey(new Headers().get('x-api-key'))
    await verifyAdminToken(headers['x-admin-token'])
    // @ts-expect-error no header holds a number
    await verifyApiKey(5)
  } catch (error) {
    if (isApiKeyError(error)) void (error.issues satisfies { path: string }[] | undefined)
    if (error instanceof ApiKeyError) void (error.retryAfterMs satisfies number | undefined)
    // @ts-expect-error not narrowed
    void error.code
  }
  const result = await verifyApiKey('key')
  if (!result.valid && result.code === 'MISSING_KEY') void (result.status satisfies number)
  const window: number | undefined = result.rateLimit?.windowSeconds
  void window
}
