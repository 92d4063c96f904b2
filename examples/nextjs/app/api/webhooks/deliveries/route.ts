import { deliveryRoutes } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** Admins look at what was delivered to webhooks, and repeat it. */
export const { GET, POST } = deliveryRoutes()
