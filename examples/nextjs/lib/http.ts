/** What is told to a client: a refusal, a fault of the addon and an `HttpError` all have this shape. */
export interface Failure {
  status: number
  code: string
  message: string
  issues?: { path: string; message: string }[]
  retryAfterMs?: number
}

/** Thrown by a route, it becomes the response. */
export class HttpError extends Error implements Failure {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly issues?: Failure['issues'],
  ) {
    super(message)
  }
}

/** A 400 that names the field which is wrong; the path of the whole body is ''. */
export function invalidInput(message: string, path = ''): HttpError {
  return new HttpError(400, 'INVALID_INPUT', message, [{ path, message }])
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { 'Cache-Control': 'no-store', ...headers } })
}

export function failure({ status, code, message, issues, retryAfterMs }: Failure): Response {
  return json({ error: message, code, issues }, status, retryAfter(retryAfterMs))
}

/** Wraps a route handler: whatever it throws is answered, and the unexpected is never shown. */
export function answering(handler: (request: Request) => Promise<Response>) {
  return async (request: Request): Promise<Response> => {
    try {
      return await handler(request)
    } catch (error) {
      if (isPublic(error)) return failure(error)
      console.error(error)
      return failure({ status: 500, code: 'INTERNAL', message: 'Internal server error' })
    }
  }
}

/** Faults of the addon carry a status. Those of 500 are for the operator's eyes only. */
function isPublic(error: unknown): error is Failure {
  const known =
    error instanceof HttpError || (error instanceof Error && error.name === 'ApiKeyError')
  return known && (error as Failure).status !== 500
}

/** Whole seconds, rounded up: who comes back earlier is only refused again. */
function retryAfter(ms?: number): Record<string, string> {
  return ms === undefined ? {} : { 'Retry-After': String(Math.max(1, Math.ceil(ms / 1000))) }
}
