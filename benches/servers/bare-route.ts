export const runtime = 'nodejs'
export const dynamic = 'force-dynamic'

/** Responds as `/api/search` does, to every caller. */
export function GET(request: Request): Response {
  const query = new URL(request.url).searchParams.get('q')
  return Response.json(
    { clientId: 'client-0', keyName: 'Key 0', query },
    { headers: { 'Cache-Control': 'no-store' } },
  )
}
