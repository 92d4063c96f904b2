import {
  createApiKey,
  deleteApiKey,
  patchApiKey,
  updateApiKey,
  type CreateApiKeyInput,
  type PatchApiKeyInput,
  type UpdateApiKeyInput,
} from '@sophra/api-keys'
import { withAdminAuth, type AdminRouteContext } from '@sophra/api-keys/next'
import { only, readObject, without, type JsonObject } from '@/lib/body'
import { invalidInput, json } from '@/lib/http'
import { linkToNext, listKeys, readLimit } from './list'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

const SETTABLE = [
  'name',
  'clientId',
  'description',
  'isActive',
  'expiresAt',
  'allowedIps',
  'rateLimit',
  'rateLimitWindowSeconds',
  'scopes',
  'metadata',
]

/** GET shows these and nobody may set them: they are ignored, so that a key can be sent back. */
const READ_ONLY = ['start', 'usageCount', 'createdAt', 'updatedAt', 'lastUsedAt']

/** Only PATCH may touch these, and only to clear them. */
const CLEARABLE = ['suspendedUntil', 'previousKeyExpiresAt']

const read = { permission: 'keys:read' }
const write = { permission: 'keys:write' }

export const POST = withAdminAuth(async (request, { admin }) => {
  const body = await readObject(request)
  if (body instanceof Response) return body
  return json(await createApiKey(input<CreateApiKeyInput>(only(body, SETTABLE)), by(admin)), 201)
}, write)

/** The body stays an array, as it always was: a next page is announced in the `Link` header. */
export const GET = withAdminAuth(async (request) => {
  const { limit, ...filters } = Object.fromEntries(new URL(request.url).searchParams)
  const wanted = readLimit(limit)
  if (wanted instanceof Response) return wanted
  const { keys, nextCursor } = await listKeys(filters, wanted)
  return json(keys, 200, nextCursor ? { Link: linkToNext(request, nextCursor) } : {})
}, read)

export const PUT = withAdminAuth(async (request, { admin }) => {
  const body = await readObject(request)
  if (body instanceof Response) return body
  if (!body.id) return missingId()
  const fields = without(body, [...READ_ONLY, ...CLEARABLE])
  return json(await updateApiKey(input<UpdateApiKeyInput>(fields), by(admin)))
}, write)

export const PATCH = withAdminAuth(async (request, { admin }) => {
  const body = await readObject(request)
  if (body instanceof Response) return body
  if (!body.id) return missingId()
  return json(await patchApiKey(input<PatchApiKeyInput>(without(body, READ_ONLY)), by(admin)))
}, write)

export const DELETE = withAdminAuth(async (request, { admin }) => {
  const id = new URL(request.url).searchParams.get('id')
  if (!id) return missingId()
  await deleteApiKey(id, by(admin))
  return json({ success: true })
}, write)

/** Who it was, for the audit log: by the token where there is one. */
function by(admin: AdminRouteContext['admin']): { actor: string } {
  return { actor: 'tokenId' in admin ? admin.tokenId : admin.name }
}

function missingId(): Response {
  return invalidInput('API key ID is required', 'id')
}

/** Fields of a request, handed over as they are: the addon checks each and names the bad ones. */
function input<T>(fields: JsonObject): T {
  return fields as T
}
