/**
 * A guard for Fastify 4 and 5.
 *
 * @module @sophra/api-keys/fastify
 */

import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { ApiKeyOptions, GuardedApiKey } from '../../next.js'

export type { ApiKeyOptions, Cost, GuardedApiKey, GuardRefusal } from '../../next.js'

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * The verification of the request's key. The guard sets it: there is none in handlers that no guard precedes, and it is `null`
     * where the guard is `optional` and the request has no key.
     */
    apiKey: GuardedApiKey
  }
}

/**
 * Makes an `onRequest` hook that lets a request pass only with a valid API key, sent in `x-api-key` or as `Authorization: Bearer`.
 * The handler finds the verification in `request.apiKey`. The hook responds to refusals and errors as `withApiKey` of
 * `@sophra/api-keys/next` does, and leaves the body unread. An unknown or wrong option throws a `TypeError` when it is made.
 *
 * @example
 * ```ts
 * app.get('/documents', { onRequest: requireApiKey({ scopes: ['docs:read'] }) }, async (request) => ({
 *   hello: request.apiKey.clientId,
 * }))
 * ```
 */
export declare function requireApiKey<Req = FastifyRequest>(options?: ApiKeyOptions<Req>): GuardHook

/** A hook for every route. It names no types of Fastify, so that those of the route stay as its schema or its server says. */
export type GuardHook = (request: object, reply: object) => Promise<void>

/**
 * A plugin that puts the same hook before all routes of the context in which it is registered, and decorates requests with
 * `apiKey`.
 *
 * @example
 * ```ts
 * await app.register(apiKeys, { scopes: ['docs:read'] })
 * ```
 */
export declare const apiKeys: FastifyPluginAsync<ApiKeyOptions<FastifyRequest>>
