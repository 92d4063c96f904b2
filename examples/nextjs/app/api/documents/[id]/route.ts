import { withApiKey } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** A route with a parameter, for keys that hold a scope. From Next.js 15 on, `params` is a promise. */
export const GET = withApiKey<{ params: { id: string } }>(
  (_request, { params, apiKey }) => Response.json({ id: params.id, clientId: apiKey.clientId }),
  { scopes: ['documents:read'], tag: '/api/documents/[id]' },
)
