import { usageExportRoutes } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** A billing program exports each closed hour once. */
export const { GET } = usageExportRoutes()
