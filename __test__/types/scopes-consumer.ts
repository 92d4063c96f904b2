// An application that has declared the scopes of its catalogue: its guards take no others.

import {
  configure,
  createApiKey,
  listScopes,
  verifyApiKey,
  type Scope,
  type ScopesOf,
} from '@sophra/api-keys'
import { withApiKey } from '@sophra/api-keys/next'

const scopes = {
  'docs:read': { label: 'Read' },
  'docs:write': { label: 'Write', implies: ['docs:read'] },
  'org:{org}:project:{id}:read': {},
}
configure({ scopes })

declare module '@sophra/api-keys' {
  interface ScopeRegistry {
    scopes: ScopesOf<typeof scopes>
  }
}

const id: string = '7'
export const good: Scope[] = ['docs:read', 'docs:write', `org:1:project:${id}:read`]
// @ts-expect-error It is misspelt.
export const misspelt: Scope = 'doc:read'
// @ts-expect-error A part is missing.
export const short: Scope = 'org:1:project'

const handler = (): Response => new Response()
withApiKey(handler, { scopes: ['docs:read'] })
withApiKey(handler, { scopes: { any: ['docs:read', { all: [`org:${id}:project:1:read`] }] } })
withApiKey(handler, { scopes: (request) => [`org:1:project:${request.url}:read`] })
// @ts-expect-error It is misspelt.
withApiKey(handler, { scopes: ['docs:raed'] })
// @ts-expect-error So it is in a group.
withApiKey(handler, { scopes: { any: ['docs:read', { all: ['docs:raed'] }] } })
// @ts-expect-error So is what a function returns.
withApiKey(handler, { scopes: () => ['docs:raed'] })

void verifyApiKey('x', { scopes: ['docs:write'] })
// @ts-expect-error It is misspelt.
void verifyApiKey('x', { scopes: ['docs:wirte'] })

// Keys may hold wildcards, which only the addon can check.
void createApiKey({ name: 'n', clientId: 'c', scopes: ['docs:*'], roles: ['editor'] })
export const labels: (string | null)[] | undefined = listScopes()?.map(({ label }) => label)
