import { withApiKey } from '@/lib/api-key'
import { answering, json } from '@/lib/http'
import { signedInUser } from '@/lib/user'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** Two layers: a signed-in user's JWT is as good as an API key. What is no user's must be a key. */
export const GET = answering(async (request) => {
  const user = await signedInUser(request)
  return user ? json({ type: 'user', userId: user.id }) : asClient(request)
})

const asClient = withApiKey((_request, { clientId, name }) =>
  json({ type: 'apiKey', clientId, keyName: name }),
)
