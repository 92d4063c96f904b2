// Compiled, never run: what an application writes against the types of the subpath.
import type { ValidAdminVerification, ValidVerification } from '@sophra/api-keys'
import { consoleRoutes, type ConsoleOptions, type ConsoleRoutes } from '@sophra/api-keys/console'
import {
  apiKeyRoutes,
  clientIp,
  clientRoutes,
  leakRoutes,
  deliveryRoutes,
  presentedKeyRoutes,
  quotaRoutes,
  revocationRoutes,
  usageExportRoutes,
  usageRoutes,
  webhookRoutes,
  withAdminAuth,
  withApiKey,
  type ApiKeyRouteContext,
  type GuardRefusal,
  type AdminUser,
} from '@sophra/api-keys/next'

/** The check of a route's exports that Next.js makes from version 15 on. */
type Route = (request: Request, context: { params: Promise<{ id: string }> }) => unknown
const routes: Route[] = []

export const { GET, POST, PUT, PATCH, DELETE } = apiKeyRoutes()
routes.push(GET, POST, PUT, PATCH, DELETE)

const pages: ConsoleRoutes = consoleRoutes()
routes.push(pages.GET, pages.POST, pages.PUT, pages.PATCH, pages.DELETE)
const options: ConsoleOptions = {
  authorize: async (request) =>
    request.headers.get('x-user') ? { name: 'ann', permissions: ['keys:read'] } : null,
  origins: ['https://admin.example.com'],
}
consoleRoutes(options)
// @ts-expect-error a list
consoleRoutes({ origins: 'https://admin.example.com' })
// @ts-expect-error each route asks for its own
consoleRoutes({ permission: 'keys:read' })

const clients = clientRoutes({ authorize: () => null })
routes.push(clients.GET, clients.PUT, clients.DELETE)
// @ts-expect-error there is none: PUT sets what it is given
clients.PATCH
// @ts-expect-error no such option
clientRoutes({ compat: 'prisma' })

const revocations = revocationRoutes({ authorize: () => null })
routes.push(revocations.POST, revocations.DELETE)

const presented = presentedKeyRoutes()
routes.push(presented.DELETE)
// @ts-expect-error the key alone decides
presentedKeyRoutes({ authorize: () => null })

const leaks = leakRoutes({
  keys: async () => [{ key_identifier: 'a', key: 'b', is_current: true }],
  action: 'notify',
  onLeak: async ({ keyId, url, source }) => void [keyId.length, url?.length, source?.length],
})
routes.push(leaks.POST, leakRoutes({ keys: [{ key_identifier: 'a', key: 'b' }] }).POST)
// @ts-expect-error the keys are required
leakRoutes()
// @ts-expect-error the signature alone decides
leakRoutes({ keys: [], authorize: () => null })

const quotas = quotaRoutes({ authorize: () => null })
routes.push(quotas.GET, quotas.POST)
// @ts-expect-error quotas are fields of keys and clients
quotas.PUT

const usage = usageRoutes({ authorize: () => null })
const usageExport = usageExportRoutes()
routes.push(usage.GET, usageExport.GET)
// @ts-expect-error usage is only read
usage.POST

const webhooks = webhookRoutes({ authorize: () => null })
const deliveries = deliveryRoutes()
routes.push(webhooks.GET, webhooks.POST, webhooks.PATCH, webhooks.DELETE)
routes.push(deliveries.GET, deliveries.POST)
// @ts-expect-error a webhook is changed by PATCH
webhooks.PUT

export const plain = withApiKey((request, { apiKey }) => {
  const client: ValidVerification = apiKey
  const url: string = request.url
  return Response.json({ client: client.clientId, url })
})
routes.push(plain)
export const answered: Promise<Response> = plain(new Request('http://localhost/'))

export const scoped = withApiKey(async () => new Response(), { scopes: ['docs:read'], cost: 5 })
export const metered = withApiKey(async () => new Response(), { cost: { tokens: 5 } })
export const tagged = withApiKey(async () => new Response(), { tag: '/search' })
export const open = withApiKey(
  (_request, { apiKey }) => {
    const clientId: string | undefined = apiKey?.clientId
    // @ts-expect-error there may be no key
    void apiKey.clientId
    return Response.json({ clientId })
  },
  { optional: true, scopes: { any: ['a'] } },
)
export const openWithParams = withApiKey<Params>(
  async (_request, { params, apiKey }) => Response.json([(await params).id, apiKey?.keyId]),
  { optional: true },
)
export const closed = withApiKey((_request, { apiKey }) => Response.json(apiKey.clientId), {
  optional: false,
})
// @ts-expect-error the handler needs a key
withApiKey((_request: Request, context: ApiKeyRouteContext) => Response.json(context), {
  optional: true,
})
export const asked = withApiKey(async () => new Response(), {
  getKey: (request) => request.headers.get('x-key'),
  scopes: async (request, { params }) => [`project:${(await params).id}:${request.method}`],
  onRefused: ({ code, status, missingScopes, hint }, request) => {
    const refused: GuardRefusal['code'] = code
    return refused === 'AMBIGUOUS_KEY'
      ? Response.json([missingScopes, hint, request.url], { status })
      : undefined
  },
})
export const told = withApiKey(async () => new Response(), {
  onRefused: async ({ keyId }) => console.warn(keyId),
})
// @ts-expect-error no promise
withApiKey(() => new Response(), { getKey: async () => 'key' })
// @ts-expect-error no list
withApiKey(() => new Response(), { scopes: () => 'docs:read' })
// @ts-expect-error one text
withApiKey(() => new Response(), { tag: ['/search'] })
// @ts-expect-error a number for each name
withApiKey(() => new Response(), { cost: { tokens: 'all' } })
// @ts-expect-error no such option
withApiKey(() => new Response(), { scope: ['docs:read'] })
export const queried = withApiKey(async () => new Response(), { scopes: { any: ['a', 'b'] } })
// @ts-expect-error a list
withApiKey(() => new Response(), { scopes: 'docs:read' })
// @ts-expect-error no response
withApiKey(() => 'text')
// @ts-expect-error the handler comes first
withApiKey({ scopes: [] }, () => new Response())

interface Params {
  params: Promise<{ id: string }>
}

export const withParams = withApiKey<Params>(async (_request, { params, apiKey }) => {
  const { id } = await params
  return Response.json({ id, client: apiKey.clientId })
})
routes.push(withParams)
// @ts-expect-error the context is needed
void withParams(new Request('http://localhost/'))

export const inferred = withApiKey((_request: Request, context: Params & ApiKeyRouteContext) =>
  Response.json({ client: context.apiKey.clientId, params: context.params }),
)
routes.push(inferred)

class OwnRequest extends Request {
  own = true
}
export const own = withApiKey((request: OwnRequest) => Response.json({ own: request.own }))
void own(new OwnRequest('http://localhost/'))

export const administered = withAdminAuth(
  (_request, { admin }) => {
    const anyone: ValidAdminVerification | AdminUser = admin
    const permissions: string[] = anyone.permissions
    return Response.json({ token: 'tokenId' in admin ? admin.tokenId : null, permissions })
  },
  {
    permission: 'keys:read',
    async authorize(request) {
      const name = request.headers.get('x-session')
      return name !== null && { name, permissions: ['*'] }
    },
  },
)
routes.push(administered)
withAdminAuth(() => new Response(), { authorize: () => null })
apiKeyRoutes({ authorize: async () => undefined })
// @ts-expect-error a truthy answer is no yes
withAdminAuth(() => new Response(), { authorize: () => true })
// @ts-expect-error the permissions are needed
withAdminAuth(() => new Response(), { authorize: () => ({ name: 'Ann' }) })
// @ts-expect-error one permission
withAdminAuth(() => new Response(), { permissions: ['keys:read'] })
export const adminParams = withAdminAuth<Params>(async (_request, { params, admin }) =>
  Response.json({ id: (await params).id, by: admin.name }),
)
routes.push(adminParams)

export const ip: string | null = clientIp(new Request('http://localhost/'))
clientIp({ headers: new Headers() })
// @ts-expect-error may be unknown
export const known: string = clientIp({ headers: new Headers() })
