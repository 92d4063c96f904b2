import { revokedKeysRoutes } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** The keys whose tokens others must refuse from now on. */
export const { GET } = revokedKeysRoutes()
