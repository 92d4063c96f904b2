'use strict'

// Limits of keys and clients, for people.

const rateText = ({ rateLimit, rateLimitWindowSeconds: window }) =>
  window === null ? `${rateLimit} per window` : `${rateLimit} per ${window} s`

const limitText = ({ name, limit, windowSeconds, suspends }) =>
  `${name}: ${limit} per ${windowSeconds} s${suspends ? ' (suspends)' : ''}`

/** The limits of a list. There is no list where it cannot be read: that does not mean that there are none. */
const listTexts = (limits) => limits?.map(limitText) ?? ['unreadable']

const orNone = (texts) => (texts.length === 0 ? 'none' : texts.join(', '))

module.exports = {
  /** The limit that `rateLimit` of a key sets. */
  rateLimitOf: (key) => (key.rateLimit === null ? 'none' : rateText(key)),
  /** The limits that a key or client names. */
  namedLimitsOf: ({ limits }) => orNone(listTexts(limits)),
  /** All limits of a key. */
  limitsOf: (key) =>
    orNone([...(key.rateLimit === null ? [] : [rateText(key)]), ...listTexts(key.limits)]),
  /** What is left of the limits that a verify names. */
  statesOf: (limits) =>
    limits.map(({ level, name, limit, remaining }) => `${level}/${name}: ${remaining} of ${limit}`),
}
