/**
 * Guards for route handlers that take a `Request`: of Next.js, Hono, or any other server on Node.js.
 *
 * @module @sophra/api-keys/next
 */

import type {
  ApiKeyError,
  ValidAdminVerification,
  ValidVerification,
  VerifyContext,
} from './index.js'

/** What a route answers. */
export type RouteResponse = Response | Promise<Response>

/** A route handler that a framework may call with a context of its own, or with none. */
export type RouteHandler<Req extends Request = Request> = (
  request: Req,
  context?: any,
) => Promise<Response>

/** What `withApiKey` adds to the context of a handler. */
export interface ApiKeyRouteContext {
  /** Whose key the request presented: `clientId`, `name`, `scopes`, `metadata` and the rest. */
  apiKey: ValidVerification
}

/** What a key has to bring. A guard with an unknown or wrong option throws a `TypeError` when it is made. */
export interface ApiKeyOptions {
  /**
   * All of them must be held by the key.
   * @default []
   */
  scopes?: string[]
  /**
   * Units of the rate limit that the request uses, 1 to 1,000,000.
   * @default 1
   */
  cost?: NonNullable<VerifyContext['cost']>
}

/**
 * Guards a route handler: it runs only for a valid API key, in `x-api-key` or as `Authorization: Bearer`. It is called with
 * the request and the context of the framework, which gets `apiKey` added; `params` stay as they are, a promise in Next 15.
 *
 * A refused key is answered 401, 403 or 429, a fault 503 or 500, as `{ error, code }`. Answers tell what is left of a rate limit
 * (`RateLimit` and `RateLimit-Policy`, draft-ietf-httpapi-ratelimit-headers-11), refusals when to come back (`Retry-After`).
 * A response that sets no `Cache-Control` gets `no-store`. An `ApiKeyError` that the handler throws becomes its response;
 * whatever else it throws goes on to the framework.
 *
 * All methods are guarded alike, `OPTIONS` too: answer preflights by a handler of their own.
 *
 * @example
 * ```ts
 * export const GET = withApiKey((request, { apiKey }) => Response.json({ hello: apiKey.clientId }), {
 *   scopes: ['docs:read'],
 * })
 *
 * // app/docs/[id]/route.ts
 * export const GET = withApiKey<{ params: Promise<{ id: string }> }>(async (request, { params, apiKey }) => {
 *   const { id } = await params
 *   return Response.json({ id, for: apiKey.clientId })
 * })
 * ```
 */
export declare function withApiKey<Req extends Request = Request>(
  handler: (request: Req, context: ApiKeyRouteContext) => RouteResponse,
  options?: ApiKeyOptions,
): RouteHandler<Req>
export declare function withApiKey<Context extends object, Req extends Request = Request>(
  handler: (request: Req, context: Context & ApiKeyRouteContext) => RouteResponse,
  options?: ApiKeyOptions,
): (request: Req, context: Omit<Context, 'apiKey'>) => Promise<Response>

/** Who may manage keys, by the app's own sessions. */
export interface AdminUser {
  /** For the app itself. */
  name: string
  /** Matched exactly, as those of admin tokens; `*` is all. */
  permissions: string[]
}

/** What `withAdminAuth` adds to the context of a handler. */
export interface AdminRouteContext {
  /** The admin token that the request presented, or what `authorize` answered. */
  admin: ValidAdminVerification | AdminUser
}

/** Whom `authorize` lets in; anything falsy is nobody. */
export type Authorized = AdminUser | null | undefined | false

/** What an admin has to bring. A guard with an unknown or wrong option throws a `TypeError` when it is made. */
export interface AdminOptions {
  /**
   * The permission that the request needs: `keys:read`, or whatever the app has given to its tokens.
   * @default none: every valid admin may
   */
  permission?: string
  /**
   * Lets the app accept its own user sessions. It is asked only about requests without `x-admin-token`, and answers the user, who
   * then must hold `permission` like a token, or something falsy: 401.
   *
   * Nothing else is a yes. Any other answer, and whatever it throws, is logged and answered 500; only an `ApiKeyError` becomes
   * its own response, and signals of Next (`redirect()`) go on to it. The handler runs in none of these cases.
   *
   * A session in a cookie is sent along by the browser whoever asks: check the origin of requests that change something.
   */
  authorize?: (request: Request) => Authorized | Promise<Authorized>
}

/**
 * Guards a route handler: it runs only for an admin who holds the permission. Like `withApiKey`, with the admin as
 * `context.admin`; the token is in the header `x-admin-token`.
 *
 * @example
 * ```ts
 * export const POST = withAdminAuth(async (request, { admin }) => Response.json({ flushedBy: admin.name }), {
 *   permission: 'cache:flush',
 * })
 * ```
 */
export declare function withAdminAuth<Req extends Request = Request>(
  handler: (request: Req, context: AdminRouteContext) => RouteResponse,
  options?: AdminOptions,
): RouteHandler<Req>
export declare function withAdminAuth<Context extends object, Req extends Request = Request>(
  handler: (request: Req, context: Context & AdminRouteContext) => RouteResponse,
  options?: AdminOptions,
): (request: Req, context: Omit<Context, 'admin'>) => Promise<Response>

/** The handlers of `/api/keys`. */
export interface ApiKeyRoutes {
  /** An array of keys, newest first; needs `keys:read`. */
  GET: RouteHandler
  /** Creates a key; needs `keys:write`, as all that follow. */
  POST: RouteHandler
  /** Changes a key, or replaces it with `regenerateKey: true`. */
  PUT: RouteHandler
  /** Changes a key. */
  PATCH: RouteHandler
  /** Deletes the key `?id=`. */
  DELETE: RouteHandler
}

/**
 * The routes by which admins manage keys, for an `app/api/keys/route.ts`. Bodies over 64 KiB are 413, before they are parsed.
 *
 * @example
 * ```ts
 * export const { GET, POST, PUT, PATCH, DELETE } = apiKeyRoutes()
 * ```
 */
export declare function apiKeyRoutes(options?: Pick<AdminOptions, 'authorize'>): ApiKeyRoutes

/**
 * The client's address, read from `X-Forwarded-For` as far as `trustedProxies` or `trustedHops` declare proxies: the rightmost
 * hop that is not one of them. `null`: unknown, as it always is where nothing is declared. For `ip` of `verifyApiKey`.
 *
 * Throws an {@link ApiKeyError} with the code `CONFIGURATION` where the declaration is wrong.
 *
 * @example
 * ```ts
 * const result = await verifyApiKey(key, { ip: clientIp(request) })
 * ```
 */
export declare function clientIp(request: { headers: Pick<Headers, 'get'> }): string | null
