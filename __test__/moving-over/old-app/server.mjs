// The app that moves over, small: its routes and both of its guards, on the tables that Prisma made. Keys are stored and looked up in
// plaintext; of an admin token only the claims are read. Statements are prepared once for each connection, as Prisma has them.
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import pg from 'pg'
import { changed, created } from './columns.mjs'

const started = Date.now()
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 4 })
pool.on('error', () => {})

async function query(text, values = []) {
  const name = createHash('sha256').update(text).digest('hex').slice(0, 32)
  return (await pool.query({ name, text, values })).rows
}

const LISTED =
  '"id", "name", "clientId", "description", "isActive", "expiresAt", "createdAt", "lastUsedAt", "allowedIps", "rateLimit", "usageCount"'
const SHOWN = `${LISTED}, "updatedAt"`

const newKey = () => randomBytes(32).toString('base64url')

class Refusal extends Error {
  constructor(status, message) {
    super(message)
    this.status = status
  }
}

function requireAdmin({ headers }) {
  const token = headers['x-admin-token']
  if (!token) throw new Refusal(401, 'Missing required header: x-admin-token')
  const { type, name } = claimsOf(token)
  if (type !== 'admin') throw new Refusal(401, 'Invalid admin token')
  const purpose = /^(?:prod|staging|dev|test)-(\w+)-\d+$/.exec(name)?.[1] ?? 'api'
  if (purpose !== 'api') throw new Refusal(403, 'Insufficient permissions for this endpoint')
}

function claimsOf(token) {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
  } catch {
    return {}
  }
}

async function requireKey({ headers }) {
  const key = headers['x-api-key']
  if (!key) throw new Refusal(401, 'Missing required header: x-api-key')
  const [row] = await query(
    'SELECT "id", "name", "clientId", "isActive" FROM "ApiKey" WHERE "key" = $1',
    [key],
  )
  if (!row?.isActive) throw new Refusal(401, 'Invalid API key')
  await query(
    'UPDATE "ApiKey" SET "usageCount" = "usageCount" + 1, "lastUsedAt" = $2 WHERE "id" = $1 RETURNING "id", "usageCount"',
    [row.id, new Date()],
  )
  headers['x-authenticated-client'] = row.clientId
  headers['x-api-key-name'] = row.name
}

const ROUTES = {
  'GET /api/keys': async (request) => {
    requireAdmin(request)
    return [200, await query(`SELECT ${LISTED} FROM "ApiKey" ORDER BY "createdAt" DESC`)]
  },
  'POST /api/keys': async (request) => {
    requireAdmin(request)
    const columns = {
      ...created(await bodyOf(request)),
      id: randomUUID(),
      key: newKey(),
      isActive: true,
      updatedAt: new Date(),
    }
    const names = Object.keys(columns)
    const [row] = await query(
      `INSERT INTO "ApiKey" (${names.map((name) => `"${name}"`)}) VALUES (${names.map((_, at) => `$${at + 1}`)})
       RETURNING ${SHOWN}, "key"`,
      Object.values(columns),
    )
    return [201, row]
  },
  // The new key was in no answer, only in the log.
  'PUT /api/keys': change(({ regenerateKey, ...fields }, id) => {
    if (!regenerateKey) return fields
    const key = newKey()
    console.log(`New key of ${id}: ${key}`)
    return { ...fields, key }
  }),
  'PATCH /api/keys': change((fields) => fields),
  'DELETE /api/keys': async (request, url) => {
    requireAdmin(request)
    const id = requireId(url.searchParams.get('id'))
    const [row] = await query('DELETE FROM "ApiKey" WHERE "id" = $1 RETURNING "id"', [id])
    if (!row) throw new Error('Record to delete does not exist')
    return [200, { success: true }]
  },
  'GET /api/search': async (request, url) => {
    await requireKey(request)
    const { 'x-authenticated-client': clientId, 'x-api-key-name': keyName } = request.headers
    return [200, { clientId, keyName, query: url.searchParams.get('q') }]
  },
}

function change(fieldsOf) {
  return async (request) => {
    requireAdmin(request)
    const { id, ...sent } = await bodyOf(request)
    requireId(id)
    const columns = { updatedAt: new Date(), ...changed(fieldsOf(sent, id)) }
    const sets = Object.keys(columns).map((name, at) => `"${name}" = $${at + 2}`)
    const [row] = await query(`UPDATE "ApiKey" SET ${sets} WHERE "id" = $1 RETURNING ${SHOWN}`, [
      requireText(id),
      ...Object.values(columns),
    ])
    if (!row) throw new Error('Record to update not found')
    return [200, row]
  }
}

function requireId(id) {
  if (!id) throw new Refusal(400, 'API key ID is required')
  return id
}

function requireText(value) {
  if (typeof value !== 'string') throw new Error('Argument id: provide String')
  return value
}

async function bodyOf(request) {
  const parts = []
  for await (const part of request) parts.push(part)
  return JSON.parse(Buffer.concat(parts).toString())
}

async function answer(request) {
  try {
    const url = new URL(request.url, 'http://localhost')
    return await ROUTES[`${request.method} ${url.pathname}`](request, url)
  } catch (error) {
    if (error instanceof Refusal) return [error.status, { error: error.message }]
    console.error(error)
    return [500, { error: 'Internal server error' }]
  }
}

createServer(async (request, response) => {
  const [status, body] = await answer(request)
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}).listen(Number(process.env.PORT), process.env.HOSTNAME, () =>
  console.log(`Ready in ${Date.now() - started} ms`),
)
