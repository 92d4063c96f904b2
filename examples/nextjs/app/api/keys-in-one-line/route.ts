import { apiKeyRoutes } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** What `/api/keys` does by hand. */
export const { GET, POST, PUT, PATCH, DELETE } = apiKeyRoutes()
