'use strict'

// The headers of draft-ietf-httpapi-ratelimit-headers-11, with an item for each limit.

const POLICY = '"api-key"'

/** There are no headers without a limit; quotas have no items. */
exports.rateLimitOf = ({ code, limits = [], limitedBy, retryAfterMs = Infinity }, windows) => {
  if (limits.length === 0) return {}
  const policies = limits.map(
    (limit, index) => `${policyOf(limit)};q=${limit.limit};w=${windows[index]}`,
  )
  const states = limits.map((limit) => {
    // `Retry-After` must not be earlier than the reset that the header announces.
    const isLimiting = code === 'RATE_LIMITED' && isOf(limitedBy, limit)
    const resetMs = isLimiting ? Math.min(limit.resetMs, retryAfterMs) : limit.resetMs
    return `${policyOf(limit)};r=${limit.remaining};t=${Math.ceil(resetMs / 1000)}`
  })
  return { 'RateLimit-Policy': policies.join(', '), RateLimit: states.join(', ') }
}

/** Whether a limit is the one that refused. A quota may have the same level and name. */
const isOf = (limitedBy, { level, name }) => limitedBy.level === level && limitedBy.name === name

/** The name of a limit in the headers: that of the key's own rate limit is `api-key`. */
function policyOf({ level, name }) {
  if (level !== 'key' || `"${name}"` === POLICY) return `"${level}/${name}"`
  return name === 'default' ? POLICY : `"${name}"`
}
