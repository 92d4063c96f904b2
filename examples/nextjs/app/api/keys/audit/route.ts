import { listAuditEvents, type ListAuditEventsQuery } from '@sophra/api-keys'
import { withAdminAuth } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** What has happened to keys: `?keyId=&type=&from=&to=&limit=&cursor=`, all of them optional. */
export const GET = withAdminAuth(
  async (request) => {
    const { limit, ...query } = Object.fromEntries(new URL(request.url).searchParams)
    const page = { ...query, limit: readWhole(limit) } as ListAuditEventsQuery
    return Response.json(await listAuditEvents(page))
  },
  { permission: 'audit:read' },
)

/** What is no whole number goes on as it is, for the addon to refuse. */
function readWhole(text?: string): unknown {
  return /^\d+$/.test(text ?? '') ? Number(text) : text
}
