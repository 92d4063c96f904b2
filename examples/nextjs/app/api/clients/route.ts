import { clientRoutes } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** Admins set what holds for all keys of a client, read it, and delete it. */
export const { GET, PUT, DELETE } = clientRoutes()
