'use strict'

// Limits and quotas of keys and clients, for people.

const rateText = ({ rateLimit, rateLimitWindowSeconds: window }) =>
  window === null ? `${rateLimit} per window` : `${rateLimit} per ${window} s`

const limitText = ({ name, limit, windowSeconds, suspends }) =>
  `${name}: ${limit} per ${windowSeconds} s${suspends ? ' (suspends)' : ''}`

const quotaText = ({ name, amount, ...period }) => `${name}: ${amount} ${periodText(period)}`

/** `per month from day 15 (Europe/Oslo)` */
const periodText = ({ period, timeZone, anchorDay }) =>
  period === 'total'
    ? 'in total'
    : [`per ${period}`, anchorDay > 1 && `from day ${anchorDay}`, `(${timeZone})`]
        .filter(Boolean)
        .join(' ')

/** The entries of a list. There is no list where it cannot be read: that does not mean that there are none. */
const textsOf = (list, textOf) => list?.map(textOf) ?? ['unreadable']

const orNone = (texts) => (texts.length === 0 ? 'none' : texts.join(', '))

module.exports = {
  /** The limit that `rateLimit` of a key sets. */
  rateLimitOf: (key) => (key.rateLimit === null ? 'none' : rateText(key)),
  /** The limits that a key or client names. */
  namedLimitsOf: ({ limits }) => orNone(textsOf(limits, limitText)),
  /** All limits of a key. */
  limitsOf: (key) =>
    orNone([...(key.rateLimit === null ? [] : [rateText(key)]), ...textsOf(key.limits, limitText)]),
  /** The quotas of a key or client. */
  quotasOf: ({ quotas }) => orNone(textsOf(quotas, quotaText)),
  /** What is left of the limits that a verify names. */
  statesOf: (limits) =>
    limits.map(({ level, name, limit, remaining }) => `${level}/${name}: ${remaining} of ${limit}`),
}
