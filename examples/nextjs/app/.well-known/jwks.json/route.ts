import { jwksRoutes } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** The public keys with which others verify the tokens that are derived from keys. */
export const { GET } = jwksRoutes()
