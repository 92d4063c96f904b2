import {
  createApiKey,
  deleteApiKey,
  patchApiKey,
  updateApiKey,
  type CreateApiKeyInput,
  type PatchApiKeyInput,
  type UpdateApiKeyInput,
} from '@sophra/api-keys'
import { withAdminAuth } from '@/lib/admin'
import { only, readObject, without, type JsonObject } from '@/lib/body'
import { invalidInput, json } from '@/lib/http'
import { linkToNext, listKeys } from './list'

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

export const POST = withAdminAuth('keys:write', async (request) => {
  const fields = only(await readObject(request), SETTABLE)
  return json(await createApiKey(input<CreateApiKeyInput>(fields)), 201)
})

/** The body stays an array, as it always was: a next page is announced in the `Link` header. */
export const GET = withAdminAuth('keys:read', async (request) => {
  const { keys, nextCursor } = await listKeys(new URL(request.url).searchParams)
  return json(keys, 200, nextCursor ? { Link: linkToNext(request, nextCursor) } : {})
})

export const PUT = withAdminAuth('keys:write', async (request) => {
  const fields = without(await readObject(request), [...READ_ONLY, ...CLEARABLE])
  requireId(fields.id)
  return json(await updateApiKey(input<UpdateApiKeyInput>(fields)))
})

export const PATCH = withAdminAuth('keys:write', async (request) => {
  const fields = without(await readObject(request), READ_ONLY)
  requireId(fields.id)
  return json(await patchApiKey(input<PatchApiKeyInput>(fields)))
})

export const DELETE = withAdminAuth('keys:write', async (request) => {
  const id = new URL(request.url).searchParams.get('id')
  requireId(id)
  await deleteApiKey(id)
  return json({ success: true })
})

function requireId<T>(id: T): asserts id is NonNullable<T> {
  if (!id) throw invalidInput('API key ID is required', 'id')
}

/** Fields of a request, handed over as they are: the addon checks each and names the bad ones. */
function input<T>(fields: JsonObject): T {
  return fields as T
}
