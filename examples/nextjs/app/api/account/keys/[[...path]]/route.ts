import { clientKeyRoutes } from '@sophra/api-keys/next'
import { clientOf, sessionIn } from '@/lib/account'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** Clients manage their own keys. Who asks is known by their session alone. */
export const { GET, POST, PATCH, DELETE } = clientKeyRoutes({
  owner: async (request) => {
    const clientId = await clientOf(sessionIn(request))
    if (!clientId) return null
    return {
      clientId,
      userId: `demo@${clientId}.example`,
      grantable: ['docs:*', 'search'],
      ceilings: { maxKeys: 5, maxTtlDays: 90, maxRateLimit: 100 },
      permissions: ['list', 'create', 'rename', 'rotate', 'revoke', 'usage'],
    }
  },
})
