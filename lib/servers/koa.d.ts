/**
 * A guard for Koa 2 and 3.
 *
 * @module @sophra/api-keys/koa
 */

import type { Context, Middleware } from 'koa'
import type { ApiKeyOptions, GuardedApiKey } from '../../next.js'

export type { ApiKeyOptions, Cost, GuardedApiKey, GuardRefusal } from '../../next.js'

/** What the guard adds to the state of a context. */
export interface ApiKeyState {
  /** The verification of the request's key. */
  apiKey: GuardedApiKey
}

/** The same where no key is needed. */
export interface OptionalApiKeyState {
  /** The verification of the request's key. `null`: the request has none. */
  apiKey: GuardedApiKey | null
}

/**
 * Makes a middleware that lets a request pass only with a valid API key, sent in `x-api-key` or as `Authorization: Bearer`. The
 * middlewares behind it find the verification in `ctx.state.apiKey`. It responds to refusals and errors as `withApiKey` of
 * `@sophra/api-keys/next` does, and leaves the body unread. An unknown or wrong option throws a `TypeError` when it is made.
 *
 * @example
 * ```ts
 * const app = new Koa<ApiKeyState>()
 * app.use(requireApiKey({ scopes: ['docs:read'] }))
 * app.use((ctx) => {
 *   ctx.body = { hello: ctx.state.apiKey.clientId }
 * })
 * ```
 */
export declare function requireApiKey(
  options?: ApiKeyOptions<Context> & { optional?: false },
): Middleware<ApiKeyState>
export declare function requireApiKey(
  options: ApiKeyOptions<Context>,
): Middleware<OptionalApiKeyState>
