import { isClient, isSwitchedOn, signIn, signOut } from '@/lib/account'

export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** Signs in as one of the clients of the demonstration. */
export async function POST(request: Request): Promise<Response> {
  if (!isSwitchedOn()) return failure(404, 'NOT_FOUND', 'Not found')
  if (!isFromOwnPage(request)) return failure(403, 'WRONG_ORIGIN', 'Sign in on the page of the app')
  const body: unknown = await request.json().catch(() => null)
  const client = (body as { client?: unknown } | null)?.client
  if (!isClient(client)) return failure(400, 'INVALID_INPUT', 'client must be acme or globex')
  return answer({ client }, 200, { 'Set-Cookie': await signIn(client) })
}

/** Signs out. */
export async function DELETE(): Promise<Response> {
  if (!isSwitchedOn()) return failure(404, 'NOT_FOUND', 'Not found')
  return answer({ client: null }, 200, { 'Set-Cookie': signOut() })
}

/** Another site must not sign its visitors in here. A browser sends `Origin` with every POST. */
const isFromOwnPage = ({ headers }: Request) => {
  const origin = headers.get('origin') ?? ''
  return URL.canParse(origin) && new URL(origin).host === headers.get('host')
}

const answer = (body: object, status: number, headers = {}) =>
  Response.json(body, { status, headers: { 'Cache-Control': 'no-store', ...headers } })

const failure = (status: number, code: string, error: string) => answer({ error, code }, status)
