/** Keys and what is known of them: no response may be stored. */
export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { 'Cache-Control': 'no-store', ...headers } })
}

/** A 400 that names the field which is wrong; the path of the whole body is ''. */
export function invalidInput(message: string, path = ''): Response {
  return json({ error: message, code: 'INVALID_INPUT', issues: [{ path, message }] }, 400)
}
