import { verifyApiKey, type RateLimit, type ValidVerification } from '@sophra/api-keys'
import { clientIp } from './client-ip'
import { answering, failure, HttpError } from './http'

type Handler = (request: Request, client: ValidVerification) => Response | Promise<Response>

/** Guards a route: the handler runs only for a valid API key, and learns whose it is. */
export function withApiKey(handler: Handler) {
  return answering(async (request) => {
    const key = request.headers.get('x-api-key') || bearerToken(request)
    if (!key) throw new HttpError(401, 'INVALID_KEY', 'Missing required header: x-api-key')

    const client = await verifyApiKey(key, { ip: clientIp(request) })
    if (!client.valid) return failure(client)

    const response = await handler(request, client)
    if (client.rateLimit) tellRateLimit(response.headers, client.rateLimit)
    return response
  })
}

/** The token of `Authorization: Bearer <token>`. */
export function bearerToken(request: Request): string | undefined {
  return /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
}

/** How much is left before the client is refused. */
function tellRateLimit(headers: Headers, { limit, remaining, resetMs }: RateLimit): void {
  headers.set('RateLimit-Limit', String(limit))
  headers.set('RateLimit-Remaining', String(remaining))
  headers.set('RateLimit-Reset', String(Math.ceil(resetMs / 1000)))
}
