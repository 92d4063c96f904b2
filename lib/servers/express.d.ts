/**
 * A guard for Express 4 and 5.
 *
 * @module @sophra/api-keys/express
 */

import type { NextFunction, Request, Response } from 'express'
import type { ApiKeyOptions, GuardedApiKey } from '../../next.js'

export type { ApiKeyOptions, Cost, GuardedApiKey, GuardRefusal } from '../../next.js'

declare global {
  namespace Express {
    interface Request {
      /**
       * The verification of the request's key. `requireApiKey` sets it: it is absent in handlers that no guard precedes, and `null`
       * where the guard is `optional` and the request has no key.
       */
      apiKey: GuardedApiKey
    }
  }
}

/**
 * Makes a middleware that lets a request pass only with a valid API key, sent in `x-api-key` or as `Authorization: Bearer`. The
 * handlers behind it find the verification in `request.apiKey`. It responds to refusals and errors as `withApiKey` of
 * `@sophra/api-keys/next` does, and leaves the body unread. An unknown or wrong option throws a `TypeError` when it is made.
 *
 * @example
 * ```ts
 * app.get('/documents', requireApiKey({ scopes: ['docs:read'] }), (request, response) => {
 *   response.json({ hello: request.apiKey.clientId })
 * })
 * ```
 */
export declare function requireApiKey<Req = Request>(options?: ApiKeyOptions<Req>): GuardMiddleware

/** A middleware for every route. It leaves the types of the route as they are, such as that of the parameters in its path. */
export type GuardMiddleware = <P, ResBody, ReqBody, Query, Locals extends Record<string, any>>(
  request: Request<P, ResBody, ReqBody, Query, Locals>,
  response: Response<ResBody, Locals>,
  next: NextFunction,
) => void
