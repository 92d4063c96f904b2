import { revocationRoutes } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** Admins revoke keys, and restore them. */
export const { POST, DELETE } = revocationRoutes()
