'use strict'

// The headers of draft-ietf-httpapi-ratelimit-headers-11, with an item for each limit.

const POLICY = '"api-key"'

/** There are no headers without a limit; quotas have no items. */
exports.rateLimitOf = ({ code, limits = [], limitedBy, retryAfterMs = Infinity }, windows) => {
  if (limits.length === 0) return {}
  const known = policies.get(windows) ?? policiesOf(limits, windows)
  let states = ''
  for (let index = 0; index < limits.length; index += 1) {
    const limit = limits[index]
    // `Retry-After` must not be earlier than the reset that the header announces.
    const isLimiting = code === 'RATE_LIMITED' && isOf(limitedBy, limit)
    const resetMs = isLimiting ? Math.min(limit.resetMs, retryAfterMs) : limit.resetMs
    const state = stateOf(known.items[index], limit.remaining, Math.ceil(resetMs / 1000))
    states = index === 0 ? state : `${states}, ${state}`
  }
  // In lower case, as servers keep names: those that they need not convert cost less.
  return { 'ratelimit-policy': known.policy, ratelimit: states }
}

/** The text of a state, which is kept: below its rate, a limit is in the same state at each request. */
function stateOf(item, remaining, seconds) {
  if (item.remaining === remaining && item.seconds === seconds) return item.state
  item.remaining = remaining
  item.seconds = seconds
  item.state = `${item.name};r=${remaining};t=${seconds}`
  return item.state
}

/** What stays the same from verify to verify of a key, by the windows of its limits, which those share; and its last states. */
const policies = new WeakMap()

function policiesOf(limits, windows) {
  const items = limits.map(itemOf)
  const policy = items.map(({ name }, at) => `${name};q=${limits[at].limit};w=${windows[at]}`)
  const known = { items, policy: policy.join(', ') }
  policies.set(windows, known)
  return known
}

/** An item whose state is not known yet. */
const itemOf = (limit) => ({ name: policyOf(limit), remaining: -1, seconds: -1, state: '' })

/** Whether a limit is the one that refused. A quota may have the same level and name. */
const isOf = (limitedBy, { level, name }) => limitedBy.level === level && limitedBy.name === name

/** The name of a limit in the headers: that of the key's own rate limit is `api-key`. */
function policyOf({ level, name }) {
  if (level !== 'key' || `"${name}"` === POLICY) return `"${level}/${name}"`
  return name === 'default' ? POLICY : `"${name}"`
}
