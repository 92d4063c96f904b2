import { adminTokenRoutes } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** Admins manage admin tokens, none with more permissions than their own. */
export const { GET, POST, PUT, DELETE } = adminTokenRoutes()
