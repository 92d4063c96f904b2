// A strict app that shows its customers their keys. It is compiled and never run.
import { useState, type ReactNode } from 'react'
import { clientKeyRoutes, type ClientKeyOwner, type ClientKeyRoutes } from '@sophra/api-keys/next'
import {
  ApiKeys,
  ApiKeysRequestError,
  useApiKeys,
  type ApiKeysProps,
  type ApiKeysTexts,
  type ClientKey,
  type IssuedClientKey,
  type UseApiKeysResult,
} from '@sophra/api-keys/react'

const german: NonNullable<ApiKeysProps['texts']> = {
  title: 'API-Schlüssel',
  revokeQuestion: (name) => `„${name}“ widerrufen?`,
  status: { active: 'Aktiv' },
  errors: { CONFLICT: 'Zu viele Schlüssel' },
}
const title: keyof ApiKeysTexts = 'title'

export function Page(): ReactNode {
  return (
    <main title={title}>
      <ApiKeys />
      <ApiKeys
        baseUrl="/keys"
        newKey={{ scopes: ['docs:read'], rateLimit: null }}
        gracePeriodSeconds={0}
        permissions={['list', 'create']}
        texts={german}
        locale="de-DE"
        className="own"
      />
      {/* @ts-expect-error There is no such property. */}
      <ApiKeys clientId="acme" />
      {/* @ts-expect-error The name is typed in. */}
      <ApiKeys newKey={{ name: 'n' }} />
    </main>
  )
}

export function Own(): ReactNode {
  const result: UseApiKeysResult = useApiKeys({ baseUrl: '/keys' })
  const [issued, setIssued] = useState<IssuedClientKey>()
  const rename = async (key: ClientKey): Promise<void> => {
    try {
      const renamed: ClientKey = await result.rename(key.id, 'new')
      const plaintext: string | undefined = renamed.key
      void plaintext
      setIssued(await result.rotate(key.id, { gracePeriodSeconds: 60 }))
      await result.revoke(key.id, { reason: 'superseded' })
    } catch (error) {
      if (!(error instanceof ApiKeysRequestError)) throw error
      const told: [number, string | undefined] = [error.status, error.code]
      void told
    }
  }
  // @ts-expect-error A client cannot name one.
  void (() => result.create({ name: 'n', clientId: 'acme' }))
  return (
    <ul>
      {result.keys.map((key) => (
        <li key={key.id} onClick={() => void rename(key)}>
          {key.name} {issued?.key} {key.expiresAt?.toUpperCase()}
        </li>
      ))}
    </ul>
  )
}

const owner: ClientKeyOwner = { clientId: 'acme', grantable: ['docs:*'], permissions: ['list'] }
export const { GET, POST, PATCH, DELETE }: ClientKeyRoutes = clientKeyRoutes({
  owner: async (request) => (request.headers.has('cookie') ? owner : null),
  origins: ['https://app.example.com'],
})
clientKeyRoutes({ owner: () => null })
clientKeyRoutes({ owner: () => ({ ...owner, ceilings: { maxKeys: 5, maxTtlDays: 90 } }) })
// @ts-expect-error Somebody must say who asks.
clientKeyRoutes({})
// @ts-expect-error `undefined` says nothing.
clientKeyRoutes({ owner: () => undefined })
// @ts-expect-error There is no such permission.
clientKeyRoutes({ owner: () => ({ ...owner, permissions: ['*'] }) })
// @ts-expect-error A ceiling that is null is none.
clientKeyRoutes({ owner: () => ({ ...owner, ceilings: { maxKeys: null } }) })
