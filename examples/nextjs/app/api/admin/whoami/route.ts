import { withAdminAuth } from '@sophra/api-keys/next'
import { signedInUser } from '@/lib/user'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** A route of the app's own for admins. An admin token opens it, and so does the session of a user in `ADMIN_USERS`. */
export const GET = withAdminAuth((_request, { admin }) => Response.json({ name: admin.name }), {
  permission: 'keys:read',
  async authorize(request) {
    const user = await signedInUser(request)
    const admins = process.env.ADMIN_USERS?.split(',') ?? []
    return user && admins.includes(user.id) && { name: user.id, permissions: ['keys:read'] }
  },
})
