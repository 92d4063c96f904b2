/** What may differ from the answer of the old app, and the row of `docs/reference/http.md` that says so. */
export interface Difference {
  row: string
  /** The lines of `answers.ts` that it explains; each line has one explanation. */
  pattern: RegExp
}

const TOOK = '(POST 201|(PUT|PATCH) 200) → 400 INVALID_INPUT'

export const DIFFERENCES: Difference[] = [
  // The implementation.
  {
    row: '- The key that `regenerateKey` makes is in the response.',
    pattern: /^new: key$/,
  },
  {
    row: '- `rateLimit`, `allowedIps` and `expiresAt` are enforced. A key with an allow-list',
    pattern: /^GET 200 → (401 EXPIRED|403 IP_NOT_ALLOWED|429 RATE_LIMITED)$/,
  },
  {
    row: '- A key that exceeds its `rateLimit` is suspended for a minute.',
    pattern: /^(GET 200 → 429 SUSPENDED|header retry-after: \d+)$/,
  },
  {
    row: '- Admin tokens need a valid signature, an expiry that has not passed, a row that is not revoked, and a permission.',
    pattern: /^\w+ 20[01] → (401 INVALID_TOKEN|403 INSUFFICIENT_PERMISSION)$/,
  },
  {
    row: '- Bad input is 400 and a missing id 404. Both were 500.',
    pattern: /^\w+ 500 → (400 INVALID_INPUT .+|404 NOT_FOUND)$/,
  },
  { row: '- A body over 256 KiB is 413.', pattern: /^POST 201 → 413 PAYLOAD_TOO_LARGE$/ },
  {
    row: '- Errors have a `code`, and what else is said [above](#errors).',
    pattern: /^an error has (code|hint|issues)$/,
  },
  {
    row: '- A body that is not a JSON object is told apart from a missing id:',
    pattern: /^message API key ID is required → Request body must be a JSON object$/,
  },
  {
    row: '- A key may also be sent as `Authorization: Bearer`.',
    pattern: /^GET 401 → 200$/,
  },
  {
    row: '- `PUT` and `PATCH` ignore read-only fields such as `usageCount` and `createdAt`. The app wrote what was sent.',
    pattern:
      /^(PUT|PATCH) (usageCount: 5 → \d+|createdAt: "2020.*|500 → 200 \{.*"usageCount":"5"\})$/,
  },
  {
    row: '- `PUT` and `PATCH` take new fields such as `scopes`, and `allowedIps: null`, which means no list. They were 500.',
    pattern: /^(PUT|PATCH) 500 → 200 \{.*"(allowedIps":null|scopes":\[|metadata":\{).*\}$/,
  },
  { row: '- Key objects have new fields:', pattern: /^new: (?!key$)\w+$/ },
  {
    row: '- `GET` has filters, and returns at most 10,000 keys at once.',
    pattern: /^(\/api\/keys\?.*: \d+ → \d+ keys|GET 200 → 400 INVALID_INPUT limit unreadable)$/,
  },

  // Its clients.
  { row: '| `rateLimit: 0` | no limit |', pattern: /^(POST|PUT|PATCH) rateLimit: 0 → null$/ },
  {
    row: '| `isActive` in `POST` | ignored: a new key is active |',
    pattern: /^header x-ignored-fields: isActive$/,
  },
  {
    row: '| `scopes` that is no list, `metadata` that is no object in `POST` | ignored, like',
    pattern: /^header x-ignored-fields: (scopes|metadata)$/,
  },
  {
    row: '| unknown fields in `POST` | ignored |',
    pattern: /^header x-ignored-fields: (key|id)$/,
  },
  {
    row: 'Names that were ignored are in the header `X-Ignored-Fields` of the response',
    pattern: /^header x-ignored-fields: (colour|page|_|usageCount|createdAt)$/,
  },

  // What the app took.
  {
    row: '| `name` or `clientId` that is empty, longer than 255 characters, or has control characters | stored it |',
    pattern: new RegExp(`^${TOOK} (name|clientId) "(|n+|two\\\\nlines"?)"?$`),
  },
  {
    row: '| `description` of more than 2,000 characters | stored it |',
    pattern: new RegExp(`^${TOOK} description "d+$`),
  },
  {
    row: '| `rateLimit` below 0 or above 1,000,000 | stored it |',
    pattern: new RegExp(`^${TOOK} rateLimit (-1|1000001)$`),
  },
  {
    row: '| `allowedIps` with an entry that is neither an address nor a CIDR range | stored it |',
    pattern: new RegExp(`^${TOOK} allowedIps\\[0\\] \\["(nonsense)?"\\]$`),
  },
  {
    row: '| `allowedIps: ""` in `POST` | no list |',
    pattern: /^POST 201 → 400 INVALID_INPUT allowedIps ""$/,
  },
  {
    row: '| `expiresAt` as a year, a date of another form such as `01/02/2094`, or `true` | what `new Date()` made of it |',
    pattern: new RegExp(`^${TOOK} expiresAt ("2094"|"01/02/2094"|"Fri, 02.*"|true)$`),
  },
  {
    row: '| `expiresAt: 0` or `false` | no expiry |',
    pattern: new RegExp(`^${TOOK} expiresAt (0|false)$`),
  },
  {
    row: '| `expiresAt` in the past in `POST` | stored it |',
    pattern: /^POST 201 → 400 INVALID_INPUT expiresAt "2020-01-01T00:00:00.000Z"$/,
  },
  {
    row: '| `key` in `PUT` and `PATCH` | stored it, in plaintext |',
    pattern: /^(PUT|PATCH) 200 → 400 INVALID_INPUT key "a-key-of-my-own-by-(PUT|PATCH)"$/,
  },
  {
    row: '| `regenerateKey` that is not a boolean | replaced the key if the value was truthy |',
    pattern: /^PUT 200 → 400 INVALID_INPUT regenerateKey "yes"$/,
  },
]
