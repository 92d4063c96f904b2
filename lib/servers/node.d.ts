/**
 * A guard for listeners of `node:http` and `node:http2`.
 *
 * @module @sophra/api-keys/node
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { ApiKeyOptions, GuardedApiKey } from '../../next.js'

export type { ApiKeyOptions, Cost, GuardedApiKey, GuardRefusal } from '../../next.js'

/** A request whose key was accepted. */
export type GuardedRequest<Req extends IncomingMessage | Http2ServerRequest = IncomingMessage> =
  Req & {
    /** The verification of the request's key. */
    apiKey: GuardedApiKey
  }

/** A request that needs no key. */
export type OptionallyGuardedRequest<
  Req extends IncomingMessage | Http2ServerRequest = IncomingMessage,
> = Req & {
  /** The verification of the request's key. `null`: the request has none. */
  apiKey: GuardedApiKey | null
}

/**
 * Guards a listener: the handler runs only for requests with a valid API key, sent in `x-api-key` or as `Authorization: Bearer`,
 * and finds the verification in `request.apiKey`. The listener responds to refusals and errors as `withApiKey` of
 * `@sophra/api-keys/next` does, and leaves the body unread. It responds to an `ApiKeyError` that the handler throws, too; with
 * anything else that is thrown its promise rejects. An unknown or wrong option throws a `TypeError` when it is made.
 *
 * @example
 * ```ts
 * createServer(
 *   withApiKey((request, response) => {
 *     response.end(`Hello ${request.apiKey.clientId}`)
 *   }),
 * ).listen(3000)
 * ```
 */
export declare function withApiKey<
  Req extends IncomingMessage | Http2ServerRequest = IncomingMessage,
  Res extends ServerResponse | Http2ServerResponse = ServerResponse,
>(
  handler: (request: GuardedRequest<Req>, response: Res) => unknown,
  options?: ApiKeyOptions<Req> & { optional?: false },
): (request: Req, response: Res) => Promise<void>
export declare function withApiKey<
  Req extends IncomingMessage | Http2ServerRequest = IncomingMessage,
  Res extends ServerResponse | Http2ServerResponse = ServerResponse,
>(
  handler: (request: OptionallyGuardedRequest<Req>, response: Res) => unknown,
  options: ApiKeyOptions<Req>,
): (request: Req, response: Res) => Promise<void>
