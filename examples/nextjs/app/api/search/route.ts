import { withApiKey } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** A route for clients. It requires an API key, which identifies the client, and its usage is counted under a tag. */
export const GET = withApiKey(
  (request, { apiKey: { clientId, name } }) => {
    const query = new URL(request.url).searchParams.get('q')
    return Response.json({ clientId, keyName: name, query })
  },
  { tag: '/api/search' },
)
