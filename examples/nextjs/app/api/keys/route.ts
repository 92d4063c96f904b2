import { apiKeyRoutes } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** Admins create, list, change, rotate and delete keys. POST ignores unknown fields, as in the app that used Prisma. */
export const { GET, POST, PUT, PATCH, DELETE } = apiKeyRoutes({ compat: 'prisma' })
