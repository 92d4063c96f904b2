// What the app handed to Prisma, and what Prisma took: a value of another type, or a field that the model has not, fails.

const isText = (value) => typeof value === 'string'
const isInteger = (value) => Number.isInteger(value) && Math.abs(value) < 2 ** 31
const isInstant = (value) =>
  value instanceof Date
    ? !Number.isNaN(value.getTime())
    : isText(value) && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value)
const isTexts = (value) => Array.isArray(value) && value.every(isText)
const isBoolean = (value) => typeof value === 'boolean'
const orNull = (is) => (value) => value === null || is(value)

const MODEL = {
  id: isText,
  key: isText,
  clientId: isText,
  name: isText,
  description: orNull(isText),
  isActive: isBoolean,
  expiresAt: orNull(isInstant),
  createdAt: isInstant,
  updatedAt: isInstant,
  lastUsedAt: orNull(isInstant),
  allowedIps: isTexts,
  rateLimit: orNull(isInteger),
  usageCount: isInteger,
}

function checked(fields) {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined)
  for (const [name, value] of given) {
    if (!Object.hasOwn(MODEL, name)) throw new Error(`Unknown argument ${name}`)
    if (!MODEL[name](value)) throw new Error(`Argument ${name}: invalid value`)
  }
  return Object.fromEntries(given)
}

const dated = (expiresAt) => (expiresAt ? new Date(expiresAt) : null)

/** The columns of a new key: the fields that the route knew. */
export function created({ name, clientId, description, rateLimit, allowedIps, expiresAt }) {
  if (name === undefined || clientId === undefined) throw new Error('Argument is missing')
  return checked({
    name,
    clientId,
    description,
    rateLimit,
    allowedIps: allowedIps || [],
    expiresAt: dated(expiresAt),
  })
}

/** The columns that a change writes: whatever was sent. */
export function changed({ expiresAt, ...fields }) {
  return checked(expiresAt === undefined ? fields : { ...fields, expiresAt: dated(expiresAt) })
}
