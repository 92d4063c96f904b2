import { withApiKey } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** A route with parameters, for keys that hold a scope. In Next 15 `params` is a promise. */
export const GET = withApiKey<{ params: { id: string } }>(
  (_request, { params, apiKey }) => Response.json({ id: params.id, clientId: apiKey.clientId }),
  { scopes: ['documents:read'] },
)
