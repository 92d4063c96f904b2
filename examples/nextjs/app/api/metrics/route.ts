import { metrics } from '@sophra/api-keys'
import { withAdminAuth } from '@sophra/api-keys/next'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** The metrics of this process, for Prometheus. */
export const GET = withAdminAuth(
  () =>
    new Response(metrics(), {
      headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
    }),
  { permission: 'metrics:read' },
)
