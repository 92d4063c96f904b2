/**
 * A client's own keys on a page of the app, by way of the routes of `clientKeyRoutes`: a hook, and a component that uses it. Works with
 * React 18 and 19.
 *
 * @module @sophra/api-keys/react
 */

import type { ReactElement } from 'react'
import type { ClientKey, ClientKeyPermission } from '../next.js'

export type { ClientKey, ClientKeyPermission }

/** What the routes have refused, or that they could not be reached. */
export declare class ApiKeysRequestError extends Error {
  readonly name: 'ApiKeysRequestError'
  /** The status of the response. */
  readonly status: number
  /** The code of the refusal, such as `CONFLICT` for too many keys. `undefined`: the response is not of the routes. */
  readonly code: string | undefined
  /** With `INVALID_INPUT`: what is wrong with which field. */
  readonly issues: { path: string; message: string }[] | undefined
}

/** The options of `useApiKeys`. */
export interface UseApiKeysOptions {
  /**
   * Where the routes of `clientKeyRoutes` are mounted.
   * @default '/api/account/keys'
   */
  baseUrl?: string
}

/** What a new key is to be. The routes fill in the ceilings, and refuse what is beyond. */
export interface NewClientKey {
  name: string
  description?: string | null
  scopes?: string[]
  /** An ISO 8601 string with a time zone. */
  expiresAt?: string | null
  allowedIps?: string[]
  rateLimit?: number | null
  rateLimitWindowSeconds?: number | null
}

/** A key whose plaintext is known: right after it was created or rotated. Keep it in no state longer than it is shown. */
export interface IssuedClientKey extends ClientKey {
  key: string
}

/** The keys of the client, and what can be done with them. The functions reject with an {@link ApiKeysRequestError}. */
export interface UseApiKeysResult {
  /** The newest first, at most 1,000. */
  keys: ClientKey[]
  /** On a server always `loading`. */
  status: 'loading' | 'ready' | 'failed'
  /** Why the keys could not be loaded, if `status` is `failed`. */
  error: Error | null
  /** Loads the keys again. */
  reload(): Promise<void>
  create(input: NewClientKey): Promise<IssuedClientKey>
  rename(id: string, name: string): Promise<ClientKey>
  /** Replaces a key. The old one is accepted for `gracePeriodSeconds` longer, by default not at all. */
  rotate(id: string, input?: { gracePeriodSeconds?: number }): Promise<IssuedClientKey>
  revoke(
    id: string,
    input?: { reason?: NonNullable<ClientKey['revokedReason']> },
  ): Promise<ClientKey>
}

/**
 * Loads the keys of the client who is signed in, and changes them.
 *
 * @example
 * ```tsx
 * const { keys, status, create } = useApiKeys({ baseUrl: '/api/account/keys' })
 * ```
 */
export declare function useApiKeys(options?: UseApiKeysOptions): UseApiKeysResult

/** The texts of `ApiKeys`. */
export interface ApiKeysTexts {
  title: string
  loading: string
  empty: string
  name: string
  create: string
  rename: string
  save: string
  cancel: string
  rotate: string
  revoke: string
  confirmRevoke: string
  revokeQuestion(name: string): string
  retry: string
  issued(name: string): string
  warning: string
  graceEnds(when: string): string
  copy: string
  copied: string
  notCopied: string
  done: string
  renamed: string
  revoked: string
  beginsWith(start: string): string
  expires(when: string): string
  lastUsed(when: string): string
  neverUsed: string
  status: Record<ClientKey['status'], string>
  /** By the code of the refusal. */
  errors: Record<string, string>
  failed: string
}

/** The properties of `ApiKeys`. */
export interface ApiKeysProps {
  /**
   * Where the routes of `clientKeyRoutes` are mounted.
   * @default '/api/account/keys'
   */
  baseUrl?: string
  /** What new keys are beside their name, such as their scopes. */
  newKey?: Omit<NewClientKey, 'name'>
  /**
   * How long a replaced key is still accepted, in seconds.
   * @default 86400, a day
   */
  gracePeriodSeconds?: number
  /**
   * What is offered. The routes decide all the same.
   * @default all
   */
  permissions?: ClientKeyPermission[]
  /** Texts in place of the English ones. */
  texts?: Partial<Omit<ApiKeysTexts, 'status' | 'errors'>> & {
    status?: Partial<ApiKeysTexts['status']>
    errors?: ApiKeysTexts['errors']
  }
  /**
   * How dates are written, such as `de-DE`.
   * @default the language of the browser
   */
  locale?: string
  /** A class beside `sophra-keys`. */
  className?: string
}

/**
 * The keys of the client who is signed in: a list, with what it takes to create, rename, rotate and revoke them. It has no styles;
 * `@sophra/api-keys/react.css` has some, with CSS variables to change them.
 *
 * @example
 * ```tsx
 * 'use client'
 * import { ApiKeys } from '@sophra/api-keys/react'
 *
 * export function Keys() {
 *   return <ApiKeys newKey={{ scopes: ['docs:read'] }} />
 * }
 * ```
 */
export declare function ApiKeys(props: ApiKeysProps): ReactElement<any, any>
