import { withApiKey } from '@sophra/api-keys/next'
import { signedInUser } from '@/lib/user'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** The JWT of a signed-in user opens this route, and so does an API key. */
export async function GET(request: Request): Promise<Response> {
  const user = await signedInUser(request)
  return user ? asUser(user.id) : asClient(request)
}

/** `withApiKey` forbids caches to store a response; here the route does so itself. */
const asUser = (userId: string) =>
  Response.json({ type: 'user', userId }, { headers: { 'Cache-Control': 'no-store' } })

const asClient = withApiKey((_request, { apiKey: { clientId, name } }) =>
  Response.json({ type: 'apiKey', clientId, keyName: name }),
)
