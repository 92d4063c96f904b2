import { quotaRoutes } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** Admins read what is left of a quota, and grant more. */
export const { GET, POST } = quotaRoutes()
