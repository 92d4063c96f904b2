// Types of `@sophra/api-keys/edge`.

/** The public keys of derived tokens, as `jwksRoutes()` of `@sophra/api-keys/next` serves them. */
export interface Jwks {
  keys: { kty: string; crv?: string; x?: string; kid?: string; alg?: string; use?: string }[]
}

/** A scope, or a group: all of its parts are needed, or any of them. */
export type ScopeQuery = string | { all: ScopeQuery[] } | { any: ScopeQuery[] }

/** The options of `createTokenVerifier`. */
export interface TokenVerifierOptions {
  /**
   * The public keys, or the URL from which they are fetched. They are fetched when the first token comes, and every 5 minutes; a token
   * of an unknown key leads to a fetch at most once in 30 seconds.
   */
  jwks: Jwks | string | URL
  /** Whom tokens must be for: their `aud`, exactly. Without it, tokens with an audience are refused. */
  audience?: string | undefined
  /**
   * The ids of keys whose tokens are refused, or the URL of the list that `revokedKeysRoutes()` serves. It is fetched at most once a
   * second. While it cannot be fetched, the last one holds for 30 seconds; then tokens are refused with `UNAVAILABLE`.
   * @default none
   */
  revoked?: string[] | string | URL | undefined
}

/** What a token must hold. */
export interface TokenRequirements {
  /** All of a list, or as a group says. */
  scopes?: ScopeQuery[] | Exclude<ScopeQuery, string> | undefined
}

/** A token that is accepted. */
export interface ValidToken {
  valid: true
  code: 'VALID'
  /** The id of the key that it was derived from. */
  keyId: string
  clientId: string
  scopes: string[]
  /** All claims. */
  claims: Record<string, unknown>
  expiresAt: Date
}

/** A token that is refused. */
export interface RefusedToken {
  valid: false
  /**
   * `UNAVAILABLE`: there are no public keys, or the list of revoked keys is too old. `INVALID_INPUT`: the scopes that are asked for are
   * none.
   */
  code:
    | 'MISSING_KEY'
    | 'INVALID_KEY'
    | 'EXPIRED'
    | 'REVOKED'
    | 'INSUFFICIENT_SCOPE'
    | 'UNAVAILABLE'
    | 'INVALID_INPUT'
  /** The HTTP status that fits. */
  status: 401 | 403 | 500 | 503
  /** May be shown to the client. */
  message: string
  /** Present if the token was signed by one of the keys. */
  keyId?: string
  /** With `INSUFFICIENT_SCOPE`: the scopes that were asked for and that the token does not hold, each once, in their order. */
  missingScopes?: string[]
}

/** Verifies derived tokens. */
export interface TokenVerifier {
  /** Never rejects. Nothing and `null` are a missing token. */
  verify(
    token: string | null | undefined,
    requirements?: TokenRequirements,
  ): Promise<ValidToken | RefusedToken>
}

/**
 * Makes a verifier of the tokens that `deriveToken` derives from keys, by WebCrypto alone: for the middleware and the edge runtime of
 * Next.js, for Workers, Deno, Bun and browsers, and for other services. A token is good until it ends, whatever becomes of its key,
 * unless `revoked` says otherwise; limits and quotas hold only where `verifyApiKey` takes it.
 *
 * Throws a `TypeError` for wrong options.
 *
 * @example
 * ```ts
 * const { verify } = createTokenVerifier({ jwks: 'https://api.example.com/.well-known/jwks.json' })
 *
 * const result = await verify(token, { scopes: ['docs:read'] })
 * ```
 */
export declare function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier
