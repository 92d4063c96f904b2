import { consoleRoutes } from '@sophra/api-keys/console'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** The console for administrators: its pages, their files and their data. */
export const { GET, POST, PUT, PATCH, DELETE } = consoleRoutes()
