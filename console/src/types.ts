// What the server answers: the types of the package as they are in JSON.

import type {
  AdminToken,
  ApiKey,
  AuditEvent,
  Client,
  Delivery,
  Environment,
  Health,
  KeyKind,
  QuotaState,
  ScopeDefinition,
  UsageBucket,
  UsageOutcome,
  Verification,
  Webhook,
} from '../../index.js'

/** JSON of a value: its dates are texts. */
export type Wire<T> = T extends Date
  ? string
  : T extends (infer Entry)[]
    ? Wire<Entry>[]
    : T extends object
      ? { [Name in keyof T]: Wire<T[Name]> }
      : T

export type Key = Wire<ApiKey>
export type ClientRow = Wire<Client>
export type Token = Wire<AdminToken>
export type Hook = Wire<Webhook>
export type DeliveryRow = Wire<Delivery>
export type Bucket = Wire<UsageBucket>
export type Quota = Wire<QuotaState>
export type Verified = Wire<Verification>
export type AuditType = AuditEvent['type']
export type { Environment, UsageOutcome }
export type { ApiKeyStatus, Limit, NoticeType, Role, RevocationReason } from '../../index.js'
export type { Quota as QuotaRule } from '../../index.js'

/** An entry of the audit log. Which fields it has depends on its type. */
export interface AuditEntry {
  id: string
  type: AuditType
  at: string
  count: number
  [field: string]: unknown
}

export interface Finding {
  check: string
  status: 'ok' | 'warning' | 'problem'
  message: string
  remedy?: string
  sql?: string
}

export interface OverviewAnswer {
  health: Health
  findings: Finding[]
  /** Quotas of which little is left, if the server knows. */
  quotas?: NearQuota[] | null
}

export interface NearQuota {
  keyId?: string
  clientId?: string
  name: string
  used: number
  amount: number
  remaining: number
  resetsAt?: string | null
}

export interface Session {
  signedIn: true
  /** `app`: the host app says who it is, so there is nothing to sign out of. */
  by?: 'session' | 'app'
  name: string
  permissions: string[]
  expiresAt: string | null
  /** The catalogue. `null`: any scope. */
  scopes: Record<string, ScopeDefinition> | null
  kinds: Record<string, KeyKind> | null
  environments: Environment[]
}

export type SessionAnswer = Session | { signedIn: false; code?: string; message?: string }
