import { usageRoutes } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** Admins read how often keys were used, by hour, day or month. */
export const { GET } = usageRoutes()
