import { listAuditEvents, type ListAuditEventsQuery } from '@sophra/api-keys'
import { withAdminAuth } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** The audit log. All parameters are optional: `?keyId=&type=&from=&to=&limit=&cursor=`. */
export const GET = withAdminAuth(
  async (request) => {
    const { limit, ...query } = Object.fromEntries(new URL(request.url).searchParams)
    const page = { ...query, limit: readLimit(limit) } as ListAuditEventsQuery
    return Response.json(await listAuditEvents(page))
  },
  { permission: 'audit:read' },
)

/** A limit that is not a whole number is passed on as it is: the addon refuses it. */
function readLimit(text?: string): unknown {
  return /^\d+$/.test(text ?? '') ? Number(text) : text
}
