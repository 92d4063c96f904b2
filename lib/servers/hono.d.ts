/**
 * A guard for Hono 3 and 4 on Node.js.
 *
 * @module @sophra/api-keys/hono
 */

import type { Context, MiddlewareHandler } from 'hono'
import type { ApiKeyOptions, GuardedApiKey } from '../../next.js'

export type { ApiKeyOptions, Cost, GuardedApiKey, GuardRefusal } from '../../next.js'

/** What the guard adds to the context of Hono. */
export interface ApiKeyEnv {
  Variables: {
    /** The verification of the request's key. */
    apiKey: GuardedApiKey
  }
}

/** The same where no key is needed. */
export interface OptionalApiKeyEnv {
  Variables: {
    /** The verification of the request's key. `null`: the request has none. */
    apiKey: GuardedApiKey | null
  }
}

/**
 * Makes a middleware that lets a request pass only with a valid API key, sent in `x-api-key` or as `Authorization: Bearer`. The
 * handlers behind it find the verification by `c.get('apiKey')`. It responds to refusals and errors as `withApiKey` of
 * `@sophra/api-keys/next` does, and leaves the body unread. An unknown or wrong option throws a `TypeError` when it is made.
 *
 * @example
 * ```ts
 * app.get('/documents', requireApiKey({ scopes: ['docs:read'] }), (c) => c.json({ hello: c.get('apiKey').clientId }))
 * ```
 */
export declare function requireApiKey(
  options?: ApiKeyOptions<Context> & { optional?: false },
): MiddlewareHandler<ApiKeyEnv>
export declare function requireApiKey(
  options: ApiKeyOptions<Context>,
): MiddlewareHandler<OptionalApiKeyEnv>
