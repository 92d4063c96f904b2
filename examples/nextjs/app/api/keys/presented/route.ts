import { presentedKeyRoutes } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** Whoever holds a key can revoke it. */
export const { DELETE } = presentedKeyRoutes()
