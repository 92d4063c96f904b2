/**
 * Decorators for NestJS on Express and on Fastify.
 *
 * @module @sophra/api-keys/nest
 */

import type { IncomingMessage } from 'node:http'
import type { ApiKeyOptions } from '../../next.js'

export type { ApiKeyOptions, Cost, GuardedApiKey, GuardRefusal } from '../../next.js'

/**
 * Guards a controller or one of its methods: it runs only for requests with a valid API key, sent in `x-api-key` or as
 * `Authorization: Bearer`. Refusals and errors of the package become an `HttpException`, whose response is that of `withApiKey` of
 * `@sophra/api-keys/next`, and pass the exception filters of the app. The body stays unread. An unknown or wrong option throws a
 * `TypeError` when the class is defined.
 *
 * @example
 * ```ts
 * @Controller('documents')
 * class Documents {
 *   @Get()
 *   @RequireApiKey({ scopes: ['docs:read'] })
 *   list(@ApiKey() apiKey: GuardedApiKey) {
 *     return { hello: apiKey.clientId }
 *   }
 * }
 * ```
 */
export declare function RequireApiKey<Req = IncomingMessage>(
  options?: ApiKeyOptions<Req>,
): MethodDecorator & ClassDecorator

/**
 * The verification of the request's key, as a parameter of a method that `RequireApiKey` guards. `null` where the guard is `optional`
 * and the request has no key.
 */
export declare function ApiKey(): ParameterDecorator
