import { verifyAdminToken } from '@sophra/api-keys'
import { answering, failure, HttpError } from './http'

/**
 * Guards a route: the handler runs only for an admin token that holds the permission. Each handler
 * is guarded by itself; a middleware can be skipped, so it is never the gate.
 */
export function withAdminAuth(
  permission: string,
  handler: (request: Request) => Promise<Response>,
) {
  return answering(async (request) => {
    const token = request.headers.get('x-admin-token')
    if (!token) {
      throw new HttpError(401, 'INVALID_TOKEN', 'Missing required header: x-admin-token')
    }
    const admin = await verifyAdminToken(token, { permission })
    return admin.valid ? handler(request) : failure(admin)
  })
}
