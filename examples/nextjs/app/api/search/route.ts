import { withApiKey } from '@/lib/api-key'
import { json } from '@/lib/http'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** A route for clients: it needs an API key, and knows whose it is. */
export const GET = withApiKey((request, { clientId, name }) => {
  const query = new URL(request.url).searchParams.get('q')
  return json({ clientId, keyName: name, query })
})
