/**
 * Guards for route handlers that take a `Request`: of Next.js, Hono, or any other server on Node.js.
 *
 * @module @sophra/api-keys/next
 */

import type {
  ApiKeyError,
  ApiKeyStatus,
  Environment,
  LeakAction,
  RefusalCode,
  RefusedVerification,
  RequiredScopes,
  RevocationReason,
  ValidAdminVerification,
  ValidVerification,
  VerifyContext,
} from './index.js'

/** The response of a route handler. */
export type RouteResponse = Response | Promise<Response>

/** A route handler, which a framework may call with a context of its own or without one. */
export type RouteHandler<Req extends Request = Request> = (
  request: Req,
  context?: any,
) => Promise<Response>

/** The property that `withApiKey` adds to the context of a handler. */
export interface ApiKeyRouteContext {
  /** The verification of the request's key: `clientId`, `name`, `scopes`, `metadata` and more. */
  apiKey: GuardedApiKey
}

/** The same where no key is needed. */
export interface OptionalApiKeyRouteContext {
  /** The verification of the request's key. `null`: the request has none. */
  apiKey: GuardedApiKey | null
}

/** What a guard says of a request that it refuses: what `verifyApiKey` says of the key, or that there is no key, or two. */
export interface GuardRefusal extends Omit<RefusedVerification, 'code'> {
  /** `AMBIGUOUS_KEY`: `x-api-key` and `Authorization: Bearer` hold different keys. */
  code: RefusalCode | 'AMBIGUOUS_KEY'
  /** With `MISSING_KEY`, unless there is `getKey`: what was expected. */
  hint?: string
}

/** The verification of a request's key. */
export interface GuardedApiKey extends ValidVerification {
  /**
   * Settles what the request was charged at what it has really cost, as `settle` does: once, within 15 minutes. Resolves with
   * `false` if it was settled before or is too old, or if the key has neither limits nor quotas.
   */
  settle(actualCost: number | Record<string, number>): Promise<boolean>
}

/**
 * The requirements for a key. A guard with an unknown or wrong option throws a `TypeError` when it is made; the rules are those of
 * `verifyApiKey`.
 */
export interface ApiKeyOptions<Req = Request> {
  /**
   * Scopes that the key must hold: all of a list, which must not be empty, or as a group says: `{ all: […] }` or `{ any: […] }`.
   *
   * A function says it of each request, for example of the resource in its path; `context` is that of the framework. It runs
   * before the key is verified. If it throws, or returns something else, the response is 500.
   * @default none
   */
  scopes?:
    RequiredScopes | ((request: Req, context: any) => RequiredScopes | Promise<RequiredScopes>)
  /**
   * What a request costs of the limits and quotas, 0 to 1,000,000 units: a number that all of them are charged, or one for each
   * name. One that is not named is charged 1; to leave it alone, name it with a cost of 0. A name that the limits and quotas of a
   * key do not have, even a misspelt one, costs nothing.
   *
   * A function says it of each request. It runs before the key is verified, for requests without a valid key too: it should do
   * little, and read the body only of a copy (`request.clone()`). If it throws, or returns no cost, the error is logged, the
   * response is 500, and nothing is charged; signals of Next.js (`redirect()`) go on to Next.js.
   * @default 1
   */
  cost?: Cost | ((request: Req) => Cost | Promise<Cost>)
  /**
   * What requests are counted under in `getUsage`: 1 to 64 characters, for example the template of the route. Use few different
   * tags: of more than 500 at a time, the rest is counted as `other`.
   */
  tag?: string
  /**
   * The kinds of keys that are accepted; a key of another one is refused with 401 and `WRONG_KIND`. If they name `publishable`, browsers
   * are told that pages of other origins may send a key (CORS): the guard answers their preflight requests.
   * @default all but `publishable`
   */
  kinds?: string[]
  /**
   * The environments of which keys are accepted; a key of the other one is refused with 401 and `WRONG_ENVIRONMENT`.
   * @default those of the process
   */
  environments?: Environment[]
  /**
   * Whom a derived token must be for, see `deriveToken`: 1 to 255 characters. A token with another audience is refused with 401, and so is
   * one with an audience where this is left out. A key is for all.
   * @default none
   */
  audience?: string
  /**
   * Whether the request is given back all that it was charged, by the response of the handler. If the handler throws, the response
   * has no body, and the status of the error or 500; signals of Next.js (`redirect()`) are not asked about. A body must be read of a
   * copy (`response.clone()`).
   *
   * Whoever finds a request that is given back can repeat it without end: give back what is the fault of the server, such as a 503,
   * never what a client can cause.
   * @default never
   */
  refundOn?: (response: Response) => boolean | Promise<boolean>
  /**
   * Finds the key of a request. Neither `x-api-key` nor `Authorization` is read then. `null` and `''` mean that there is no key. If
   * it throws, or returns anything else, such as a promise, the response is 500.
   * @default the key in `x-api-key`, or in `Authorization: Bearer`; if both have one, it must be the same
   */
  getKey?: (request: Req) => string | null
  /**
   * Is told each refusal, also of a request without a key, but no errors. A `Response` that it returns is sent in place of the
   * usual one, with `Cache-Control: no-store`; with any other value, the usual one is sent. What it throws goes on to the framework.
   * @default none
   */
  onRefused?: (
    refusal: GuardRefusal,
    request: Req,
  ) => Response | undefined | void | Promise<Response | undefined | void>
  /**
   * Whether a request without a key is let through, with `apiKey: null`, whatever `scopes` says. One with a wrong key is refused.
   * @default false
   */
  optional?: boolean
}

/** What a request costs, see {@link ApiKeyOptions.cost}. */
export type Cost = NonNullable<VerifyContext['cost']>

/**
 * Guards a route handler: the handler runs only for a valid API key, sent in `x-api-key` or as `Authorization: Bearer`. The
 * handler gets the request, and the context of the framework with `apiKey` added. `params` stay as they are: a promise from
 * Next.js 15 on.
 *
 * The response to a refused key is 401, 403 or 429, and that to an error 503 or 500, with the body `{ error, code }`, or a problem
 * of RFC 9457 if `Accept` names `application/problem+json`. Without a key, the code is `MISSING_KEY`, and `hint` says what was
 * expected; with `INSUFFICIENT_SCOPE`, there are `missingScopes`. Responses announce what remains of each limit (`RateLimit` and
 * `RateLimit-Policy`, draft-ietf-httpapi-ratelimit-headers-11), and refusals announce when to retry (`Retry-After`). A response without `Cache-Control` gets `no-store`. An `ApiKeyError` that the handler
 * throws becomes a response; anything else that it throws goes on to the framework.
 *
 * The guard treats all methods alike, including `OPTIONS`. With `kinds: ['publishable']` it answers preflight requests: export it as
 * `OPTIONS` too. Otherwise, handle them in a separate handler.
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
  options?: ApiKeyOptions & { optional?: false },
): RouteHandler<Req>
export declare function withApiKey<Context extends object, Req extends Request = Request>(
  handler: (request: Req, context: Context & ApiKeyRouteContext) => RouteResponse,
  options?: ApiKeyOptions & { optional?: false },
): (request: Req, context: Omit<Context, 'apiKey'>) => Promise<Response>
export declare function withApiKey<Req extends Request = Request>(
  handler: (request: Req, context: OptionalApiKeyRouteContext) => RouteResponse,
  options: ApiKeyOptions,
): RouteHandler<Req>
export declare function withApiKey<Context extends object, Req extends Request = Request>(
  handler: (
    request: Req,
    context: Omit<Context, 'apiKey'> & OptionalApiKeyRouteContext,
  ) => RouteResponse,
  options: ApiKeyOptions,
): (request: Req, context: Omit<Context, 'apiKey'>) => Promise<Response>

/** A user of the app who may manage keys, identified by the app's own session. */
export interface AdminUser {
  /** The name of the user: the actor in the audit log. */
  name: string
  /** The permissions that the user holds. As with admin tokens, they match exactly, and `*` stands for all. */
  permissions: string[]
}

/** The property that `withAdminAuth` adds to the context of a handler. */
export interface AdminRouteContext {
  /** The verification of the request's admin token, or the user that `authorize` returned. */
  admin: ValidAdminVerification | AdminUser
}

/** The result of `authorize`: the user to let in, or a falsy value for none. */
export type Authorized = AdminUser | null | undefined | false

/** The requirements for an admin. A guard with an unknown or wrong option throws a `TypeError` when it is made. */
export interface AdminOptions {
  /**
   * The permission that the admin must hold: `keys:read`, or one that the app has given to its tokens, of at most 100 characters.
   * @default none: every valid admin is let in
   */
  permission?: string
  /**
   * Lets the app accept its own user sessions. The guard calls it only for requests without `x-admin-token`. It returns the user,
   * who must hold `permission` as a token must, or a falsy value for a 401.
   *
   * Any other return value is an error, which is logged and becomes a 500, as is anything that the function throws. There are two
   * exceptions: an `ApiKeyError` becomes its own response, and signals of Next.js (`redirect()`) go on to Next.js. The handler
   * does not run in any of these cases.
   *
   * Browsers send a session cookie with requests from other sites too: check the origin of requests that change data.
   */
  authorize?: (request: Request) => Authorized | Promise<Authorized>
}

/**
 * Guards a route handler: the handler runs only for an admin who holds the permission. The admin token is sent in
 * `x-admin-token`, and the handler finds the admin in `context.admin`. Without a token, the code is `MISSING_TOKEN`, with a `hint`.
 * Otherwise it works like `withApiKey`.
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
  /** Lists keys as an array, by default the newest first. Requires `keys:read`. */
  GET: RouteHandler
  /** Creates a key. Requires `keys:write`, as do the methods below. */
  POST: RouteHandler
  /** Changes a key. With `regenerateKey: true`, it replaces the key with a new one. */
  PUT: RouteHandler
  /** Changes a key. */
  PATCH: RouteHandler
  /** Deletes the key whose id is in `?id=`. */
  DELETE: RouteHandler
}

/** The options of `apiKeyRoutes`. */
export interface ApiKeyRoutesOptions extends Pick<AdminOptions, 'authorize'> {
  /**
   * `prisma`: takes what the clients of an app that kept keys with Prisma sent, where it has one meaning. `expiresAt` may be `''` (none),
   * a text without a time zone (UTC) or milliseconds since 1970, and `rateLimit: 0` is none. `POST` ignores `isActive`, unknown
   * fields, and `scopes` and `metadata` of another type; `GET` ignores unknown parameters. The response names what was ignored in
   * the header `X-Ignored-Fields`, up to 20 names, percent-encoded.
   * @default none: all of that is refused with 400
   */
  compat?: 'prisma'
}

/**
 * Makes the route handlers with which admins manage keys, for a file `app/api/keys/route.ts`. A body of more than 256 KiB is
 * refused with 413 before it is parsed. Unknown fields are refused with 400. Fields that `GET` shows and that cannot be set are
 * ignored.
 *
 * @example
 * ```ts
 * export const { GET, POST, PUT, PATCH, DELETE } = apiKeyRoutes()
 * ```
 */
export declare function apiKeyRoutes(options?: ApiKeyRoutesOptions): ApiKeyRoutes

/** What a client may do with its own keys. */
export type ClientKeyPermission = 'list' | 'create' | 'rename' | 'rotate' | 'revoke' | 'usage'

/** What the keys may be that a client makes. A ceiling that is absent does not hold. */
export interface ClientKeyCeilings {
  /** How many keys the client may have that are not revoked, 0 to 1,000,000. `maxKeys` of `setClient` holds as well. */
  maxKeys?: number
  /** How many days a key may live, 1 to 36,500, from its creation on. A key without `expiresAt` gets as many. */
  maxTtlDays?: number
  /**
   * The most requests of `rateLimit`, 1 to 1,000,000, in the window that is configured or a longer one. A key without `rateLimit` gets as
   * many.
   */
  maxRateLimit?: number
}

/** Who manages keys by a request, as the app's own session says. */
export interface ClientKeyOwner {
  /** The client. Its keys are all that the request can reach. */
  clientId: string
  /**
   * The user: the actor in the audit log.
   * @default `client:` and the id of the client
   */
  userId?: string
  /** The scopes that new keys may hold: each of theirs must be covered by one of these. `docs:*` covers `docs:read`. */
  grantable: string[]
  /** @default no ceilings but those of the kind of the key, of the options and of `setClient` */
  ceilings?: ClientKeyCeilings
  /** What this user may do. `usage` is for usage, limits and quotas. */
  permissions: ClientKeyPermission[]
}

/** The options of `clientKeyRoutes`. */
export interface ClientKeyRoutesOptions {
  /**
   * Says by the app's own session who asks, or `null` for a 401. It gets every request first, and must not read the body.
   *
   * Any other answer, even one with an unknown field, is an error, which is logged and becomes a 500, as is anything that the function
   * throws. There are two exceptions: an `ApiKeyError` becomes its own response, and signals of Next.js (`redirect()`) go on to
   * Next.js.
   */
  owner: (request: Request) => ClientKeyOwner | null | Promise<ClientKeyOwner | null>
  /**
   * Further origins whose pages may change keys, such as `https://app.example.com`. Without it, a change must come from a page of the
   * host that the request names in `Host`; `X-Forwarded-Host` counts where `trustedProxies` or `trustedHops` are declared.
   * @default none
   */
  origins?: string[]
}

/** A key as its owner sees it, in the responses of `clientKeyRoutes`: instants are ISO 8601 strings. */
export interface ClientKey {
  id: string
  name: string
  clientId: string
  description: string | null
  status: ApiKeyStatus
  kind: string
  environment: Environment
  /** The beginning of the key, by which people tell keys apart. */
  start: string | null
  scopes: string[]
  allowedIps: string[]
  rateLimit: number | null
  rateLimitWindowSeconds: number | null
  usageCount: number
  lastUsedAt: string | null
  createdAt: string
  updatedAt: string
  expiresAt: string | null
  suspendedUntil: string | null
  previousKeyExpiresAt: string | null
  revokedAt: string | null
  revokedReason: RevocationReason | null
  /** The key itself. Only the responses to its creation and its rotation have it. */
  key?: string
}

/** The handlers of `/api/account/keys` and of all paths below it. */
export interface ClientKeyRoutes {
  /**
   * Reads: the keys of the client as an array, newest first (`?status=&search=&limit=&cursor=`), `/{id}`, and with the permission `usage`
   * `/{id}/usage` and `/{id}/limits`, or `/usage` and `/limits` of all keys of the client together.
   */
  GET: RouteHandler
  /** Creates a key, rotates one (`/{id}/rotate`), or revokes one (`/{id}/revoke`). */
  POST: RouteHandler
  /** Renames the key `/{id}`: takes `name` and `description`. */
  PATCH: RouteHandler
  /** Revokes the key `/{id}`. */
  DELETE: RouteHandler
}

/**
 * Makes the route handlers with which clients manage their own keys, for one catch-all route, such as
 * `app/api/account/keys/[[...path]]/route.ts`. `owner` says by the session of the app who asks; nothing in the request does. A key of
 * another client is not found.
 *
 * A change must come from a page of the app (`Origin`), else the response is 403, and 415 for the types of forms. A request that presents
 * an API key makes none. A body of more than 256 KiB is refused with 413 before it is parsed. Unknown fields and parameters are refused
 * with 400.
 *
 * In a server that passes no parameters of a catch-all, the path must end in `keys` where the routes are mounted.
 *
 * @example
 * ```ts
 * export const { GET, POST, PATCH, DELETE } = clientKeyRoutes({
 *   owner: async (request) => {
 *     const user = await session(request)
 *     return user && {
 *       clientId: user.organization,
 *       userId: user.email,
 *       grantable: ['docs:*'],
 *       ceilings: { maxKeys: 5, maxTtlDays: 90, maxRateLimit: 100 },
 *       permissions: ['list', 'create', 'rename', 'rotate', 'revoke', 'usage'],
 *     }
 *   },
 * })
 * ```
 */
export declare function clientKeyRoutes(options: ClientKeyRoutesOptions): ClientKeyRoutes

/** The handlers of `/api/clients`. */
export interface ClientRoutes {
  /**
   * Lists the clients that have settings as an array, newest first, or reads the one whose id is in `?clientId=`. Requires
   * `clients:read`.
   */
  GET: RouteHandler
  /**
   * Sets what holds for all keys of a client, as `setClient` does: a field that is absent stays as it is, and `null` clears it.
   * Requires `clients:write`, as does `DELETE`.
   */
  PUT: RouteHandler
  /**
   * Deletes the settings of the client whose id is in `?clientId=`. Its keys stay; neither what was set nor the rules of
   * its parent hold for them any longer.
   */
  DELETE: RouteHandler
}

/** The options of `clientRoutes`. */
export interface ClientRoutesOptions extends Pick<AdminOptions, 'authorize'> {}

/**
 * Makes the route handlers with which admins manage clients, for a file `app/api/clients/route.ts`. A body of more than 64 KiB is
 * refused with 413 before it is parsed. Unknown fields are refused with 400. Fields that `GET` shows and that cannot be set are
 * ignored, so that a client can be sent back as it was read.
 *
 * @example
 * ```ts
 * export const { GET, PUT, DELETE } = clientRoutes()
 * ```
 */
export declare function clientRoutes(options?: ClientRoutesOptions): ClientRoutes

/** The handlers of `/api/roles`. */
export interface RoleRoutes {
  /** Lists all roles, as `listRoles` does. Requires `roles:read`. */
  GET: RouteHandler
  /**
   * Sets the scopes of a role, as `setRole` does. Requires `roles:write` and `keys:write`, since all keys with the role hold its
   * scopes.
   */
  PUT: RouteHandler
  /** Deletes the role `?name=`, as `deleteRole` does. Requires `roles:write`. */
  DELETE: RouteHandler
}

/** The options of `roleRoutes`. */
export interface RoleRoutesOptions extends Pick<AdminOptions, 'authorize'> {}

/**
 * Makes the route handlers with which admins manage roles, for a file `app/api/roles/route.ts`. A body of more than 256 KiB is refused
 * with 413 before it is parsed. Unknown fields are refused with 400.
 *
 * @example
 * ```ts
 * export const { GET, PUT, DELETE } = roleRoutes()
 * ```
 */
export declare function roleRoutes(options?: RoleRoutesOptions): RoleRoutes

/** The handlers of `/api/keys/revocation`. */
export interface RevocationRoutes {
  /** Revokes a key, as `revokeApiKey` does, or with `where` all keys of a filter, as `revokeApiKeys` does. Requires `keys:write`. */
  POST: RouteHandler
  /** Restores the key with the id `?id=`, as `restoreApiKey` does. Requires `keys:write`. */
  DELETE: RouteHandler
}

/** The options of `revocationRoutes`. */
export interface RevocationRoutesOptions extends Pick<AdminOptions, 'authorize'> {}

/**
 * Makes the route handlers with which admins revoke keys and restore them, for a file `app/api/keys/revocation/route.ts`. A body of
 * more than 64 KiB is refused with 413 before it is parsed. Unknown fields are refused with 400.
 *
 * @example
 * ```ts
 * export const { POST, DELETE } = revocationRoutes()
 * ```
 */
export declare function revocationRoutes(options?: RevocationRoutesOptions): RevocationRoutes

/** The handlers of `/api/keys/presented`. */
export interface PresentedKeyRoutes {
  /**
   * Revokes the key that the request presents in `x-api-key` or as `Authorization: Bearer`, as `revokePresentedKey` does: 204. The
   * response to anything that is no key is 401.
   */
  DELETE: RouteHandler
}

/**
 * Makes the route handlers for whoever holds a key, for a file `app/api/keys/presented/route.ts`. They need no admin: the key alone
 * decides, and `authorize` is refused with a `TypeError`, as is any other option.
 *
 * @example
 * ```ts
 * export const { DELETE } = presentedKeyRoutes()
 * ```
 */
export declare function presentedKeyRoutes(): PresentedKeyRoutes

/** The handlers of `/.well-known/jwks.json`. */
export interface JwksRoutes {
  /** The public keys of derived tokens, as a JWKS: `{ keys: [{ kty, crv, x, kid, alg, use }] }`. Anyone may read and cache it. */
  GET: RouteHandler
}

/**
 * Makes the route handler of the public keys with which others verify derived tokens, for a file
 * `app/.well-known/jwks.json/route.ts`. It has no options: the keys are public. Caches may keep the response for 60 seconds. A key stays
 * in it until its last token has ended.
 *
 * @example
 * ```ts
 * export const { GET } = jwksRoutes()
 * ```
 */
export declare function jwksRoutes(): JwksRoutes

/** The handlers of `/.well-known/revoked-keys.json`. */
export interface RevokedKeysRoutes {
  /** `{ revoked: [keyId] }`: the keys whose tokens must be refused, although they have not ended. */
  GET: RouteHandler
}

/**
 * Makes the route handler of the keys whose tokens others must refuse, for a file `app/.well-known/revoked-keys.json/route.ts`: those
 * that are revoked, deleted, disabled or expired, or whose client is disabled, and that have living tokens. A change is in it within 2
 * seconds. It has no options: the list is public, and names nothing but ids.
 *
 * @example
 * ```ts
 * export const { GET } = revokedKeysRoutes()
 * ```
 */
export declare function revokedKeysRoutes(): RevokedKeysRoutes

/** The handlers of `/api/leaks`. */
export interface LeakRoutes {
  /**
   * Takes a report of GitHub's secret scanning partner program, and answers which of the tokens are keys: an array of
   * `{ token_raw, token_type, label }`. A request that GitHub has not signed is refused with 401.
   */
  POST: RouteHandler
}

/** A public key as GitHub lists it. */
export interface GitHubPublicKey {
  key_identifier: string
  /** In PEM. */
  key: string
  is_current?: boolean
}

/** A key that was found where others can read it. */
export interface FoundKey {
  keyId: string
  /** Where it was found, cut at 2,048 characters. It may contain the key. */
  url: string | null
  /** What that is, such as `commit` or `npm`. */
  source: string | null
}

/** The options of `leakRoutes`. */
export interface LeakRoutesOptions {
  /**
   * The list `public_keys` of https://api.github.com/meta/public_keys/secret_scanning, or a function that gives it. The function
   * is asked when a report first comes, after an hour, and for an identifier that the list does not have, at most once in 10
   * seconds. What it throws goes on to the framework.
   */
  keys: GitHubPublicKey[] | (() => GitHubPublicKey[] | Promise<GitHubPublicKey[]>)
  /**
   * `revoke`: the keys are revoked as `compromised`, which is final. `notify`: they stay.
   * @default 'revoke'
   */
  action?: LeakAction
  /**
   * Called for each leak of a key, after all keys of the report are dealt with, one after the other. If one call throws, the error
   * is logged, the others are made all the same, and the response is 500: GitHub sends the report again, so expect to be told the
   * same leak more than once. GitHub waits 30 seconds for the whole response.
   * @default none
   */
  onLeak?: (leak: FoundKey) => void | Promise<void>
}

/**
 * Makes the route handler to which GitHub reports keys that it finds, for a file `app/api/leaks/route.ts`. It needs no admin: the
 * signature of GitHub decides, and `authorize` is refused with a `TypeError`. A body of more than 1 MiB is refused with 413.
 *
 * @example
 * ```ts
 * const KEYS = 'https://api.github.com/meta/public_keys/secret_scanning'
 *
 * export const { POST } = leakRoutes({
 *   keys: async () => (await (await fetch(KEYS)).json()).public_keys,
 *   onLeak: ({ keyId, url }) => console.warn(`The key ${keyId} was found at ${url}`),
 * })
 * ```
 */
export declare function leakRoutes(options: LeakRoutesOptions): LeakRoutes

/** The handlers of `/api/quotas`. */
export interface QuotaRoutes {
  /** Reads the quota `?name=` of the key `?keyId=` or of the client `?clientId=`. Requires `quotas:read`. */
  GET: RouteHandler
  /** Adds units to a quota, as `grantQuota` does. Requires `quotas:write`. */
  POST: RouteHandler
}

/** The options of `quotaRoutes`. */
export interface QuotaRoutesOptions extends Pick<AdminOptions, 'authorize'> {}

/**
 * Makes the route handlers with which admins read quotas and add to them, for a file `app/api/quotas/route.ts`. Which quotas a key
 * or a client has is one of its fields: `/api/keys` and `/api/clients` change them. A body of more than 64 KiB is refused with 413
 * before it is parsed. Unknown fields are refused with 400.
 *
 * @example
 * ```ts
 * export const { GET, POST } = quotaRoutes()
 * ```
 */
export declare function quotaRoutes(options?: QuotaRoutesOptions): QuotaRoutes

/** The handlers of `/api/usage`. */
export interface UsageRoutes {
  /**
   * Reads the usage of the key `?keyId=`, of the keys of the client `?clientId=`, or of all keys, as `getUsage` does: an array.
   * Requires `usage:read`. `from` and `to` are ISO 8601 strings. `groupBy` may be repeated, or name several groups with commas.
   */
  GET: RouteHandler
}

/** The options of `usageRoutes`. */
export interface UsageRoutesOptions extends Pick<AdminOptions, 'authorize'> {}

/**
 * Makes the route handler with which admins read usage over time, for a file `app/api/usage/route.ts`. Unknown parameters are
 * refused with 400.
 *
 * @example
 * ```ts
 * export const { GET } = usageRoutes()
 * ```
 */
export declare function usageRoutes(options?: UsageRoutesOptions): UsageRoutes

/** The handlers of `/api/usage/export`. */
export interface UsageExportRoutes {
  /** Exports the closed hours behind the row with the id `?after=`, as `exportUsage` does: an array. Requires `usage:read`. */
  GET: RouteHandler
}

/** The options of `usageExportRoutes`. */
export interface UsageExportRoutesOptions extends Pick<AdminOptions, 'authorize'> {}

/**
 * Makes the route handler with which a program exports usage, for a file `app/api/usage/export/route.ts`. Unknown parameters are
 * refused with 400.
 *
 * @example
 * ```ts
 * export const { GET } = usageExportRoutes()
 * ```
 */
export declare function usageExportRoutes(options?: UsageExportRoutesOptions): UsageExportRoutes

/** The handlers of `/api/admin-tokens`. */
export interface AdminTokenRoutes {
  /**
   * Lists admin tokens, newest first, as `listAdminTokens` does: an array. The `Link` header announces the next page. Requires
   * `admin-tokens:read`. All parameters are optional: `?status=&search=&expiresBefore=&unusedSince=&permission=&limit=&cursor=`.
   */
  GET: RouteHandler
  /** Makes an admin token, as `createAdminToken` does. Requires `admin-tokens:write`, and each permission that the token gets. */
  POST: RouteHandler
  /**
   * Replaces the token whose `id` is in the body, as `rotateAdminToken` does. Requires `admin-tokens:write`, and each permission that
   * the token has.
   */
  PUT: RouteHandler
  /** Revokes the token `?id=`. Requires `admin-tokens:write`. */
  DELETE: RouteHandler
}

/** The options of `adminTokenRoutes`. */
export interface AdminTokenRoutesOptions extends Pick<AdminOptions, 'authorize'> {}

/**
 * Makes the route handlers with which admins manage admin tokens, for a file `app/api/admin-tokens/route.ts`. Nobody gives a token
 * more than they hold: a token with a permission that neither the caller's own token nor the user of `authorize` holds is neither made
 * nor rotated. The response is then 403 with `missingPermissions`; only who holds `*` gives `*`. A body of more than 64 KiB is refused
 * with 413 before it is parsed. Unknown fields are refused with 400.
 *
 * @example
 * ```ts
 * export const { GET, POST, PUT, DELETE } = adminTokenRoutes()
 * ```
 */
export declare function adminTokenRoutes(options?: AdminTokenRoutesOptions): AdminTokenRoutes

/** The handlers of `/api/webhooks`. */
export interface WebhookRoutes {
  /** Lists all webhooks, as `listWebhooks` does: an array. Requires `webhooks:read`. */
  GET: RouteHandler
  /** Makes a webhook of the body, as `setWebhook` does: 201, with its `secret`, which is not shown again. Requires `webhooks:write`. */
  POST: RouteHandler
  /** Changes the webhook whose `id` is in the body, as `setWebhook` does. Requires `webhooks:write`. */
  PATCH: RouteHandler
  /** Deletes the webhook `?id=`. Requires `webhooks:write`. */
  DELETE: RouteHandler
}

/** The options of `webhookRoutes`. */
export interface WebhookRoutesOptions extends Pick<AdminOptions, 'authorize'> {}

/**
 * Makes the route handlers with which admins manage webhooks, for a file `app/api/webhooks/route.ts`. A body of more than 64 KiB is
 * refused with 413 before it is parsed. Unknown fields are refused with 400.
 *
 * @example
 * ```ts
 * export const { GET, POST, PATCH, DELETE } = webhookRoutes()
 * ```
 */
export declare function webhookRoutes(options?: WebhookRoutesOptions): WebhookRoutes

/** The handlers of `/api/webhooks/deliveries`. */
export interface DeliveryRoutes {
  /**
   * Lists deliveries, newest first, as `listDeliveries` does: an array. The `Link` header announces the next page. Requires
   * `webhooks:read`. All parameters are optional: `?webhookId=&state=&limit=&cursor=`.
   */
  GET: RouteHandler
  /** Delivers the notice of the delivery whose `id` is in the body once more. Requires `webhooks:write`. */
  POST: RouteHandler
}

/** The options of `deliveryRoutes`. */
export interface DeliveryRoutesOptions extends Pick<AdminOptions, 'authorize'> {}

/**
 * Makes the route handlers with which admins look at what was delivered to webhooks, for a file
 * `app/api/webhooks/deliveries/route.ts`.
 *
 * @example
 * ```ts
 * export const { GET, POST } = deliveryRoutes()
 * ```
 */
export declare function deliveryRoutes(options?: DeliveryRoutesOptions): DeliveryRoutes

/**
 * Returns the client's address for the `ip` of `verifyApiKey`. It is the rightmost entry of `X-Forwarded-For` that is not one of
 * the proxies declared by `trustedProxies` or `trustedHops`. The result is `null` if the address is unknown, which it always is
 * without such a declaration.
 *
 * Throws an {@link ApiKeyError} with the code `CONFIGURATION` if the declaration is wrong.
 *
 * @example
 * ```ts
 * const result = await verifyApiKey(key, { ip: clientIp(request) })
 * ```
 */
export declare function clientIp(request: { headers: Pick<Headers, 'get'> }): string | null
