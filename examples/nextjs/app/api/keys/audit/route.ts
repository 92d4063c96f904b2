import { listAuditEvents, type ListAuditEventsQuery } from '@sophra/api-keys'
import { withAdminAuth } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** What has happened to keys: `?keyId=&type=&from=&to=&limit=&cursor=`, all of them optional. */
export const GET = withAdminAuth(
  async (request) => {
    const { limit, ...query } = Object.fromEntries(new URL(request.url).searchParams)
    const page = { ...query, ...(limit === undefined ? {} : { limit: Number(limit) }) }
    return Response.json(await listAuditEvents(page as ListAuditEventsQuery))
  },
  { permission: 'audit:read' },
)
