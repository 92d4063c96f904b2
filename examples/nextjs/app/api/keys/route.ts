import { apiKeyRoutes } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** Admins create, list, change, rotate and delete keys. What clients of the app that used Prisma sent is taken, too. */
export const { GET, POST, PUT, PATCH, DELETE } = apiKeyRoutes({ compat: 'prisma' })
