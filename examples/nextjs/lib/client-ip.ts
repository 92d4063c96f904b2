/**
 * The client's address, as far as it can be trusted. A route handler never sees the socket, and
 * anyone can send `X-Forwarded-For`: only the entries that your own proxies appended count. Set
 * `API_KEYS_TRUSTED_HOPS` to the number of these proxies; without it the address is unknown, and
 * a key with an allow-list is refused.
 */
export function clientIp(request: Request): string | undefined {
  const hops = Number(process.env.API_KEYS_TRUSTED_HOPS)
  if (!Number.isInteger(hops) || hops < 1) return undefined

  const forwarded = request.headers.get('x-forwarded-for')?.split(',') ?? []
  return forwarded.at(-hops)?.trim()
}
