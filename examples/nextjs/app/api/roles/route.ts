import { roleRoutes } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** Admins set roles, list them, and delete those that no key names. */
export const { GET, PUT, DELETE } = roleRoutes()
