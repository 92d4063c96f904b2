import { withApiKey } from '@sophra/api-keys/next'
import { json } from '@/lib/http'
import { signedInUser } from '@/lib/user'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** Two layers: a signed-in user's JWT is as good as an API key. What is no user's must be a key. */
export async function GET(request: Request): Promise<Response> {
  const user = await signedInUser(request)
  return user ? json({ type: 'user', userId: user.id }) : asClient(request)
}

const asClient = withApiKey((_request, { apiKey: { clientId, name } }) =>
  Response.json({ type: 'apiKey', clientId, keyName: name }),
)
