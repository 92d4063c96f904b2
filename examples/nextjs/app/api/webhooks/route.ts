import { webhookRoutes } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** Admins set where notices of what happens to keys are sent. */
export const { GET, POST, PATCH, DELETE } = webhookRoutes()
