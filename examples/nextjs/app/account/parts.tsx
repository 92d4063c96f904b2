'use client'

import { ApiKeys } from '@sophra/api-keys/react'

/** The package is external on servers, so a file of the app says that this is for browsers. */
export function Keys() {
  return <ApiKeys newKey={{ scopes: ['docs:read', 'search'] }} />
}

export function SignIn({ clients }: { clients: [string, string][] }) {
  return (
    <>
      <p>This sign-in is for demonstrations: it asks for no password.</p>
      {clients.map(([client, name]) => (
        <p key={client}>
          <button type="button" onClick={() => change('POST', { client })}>
            Sign in as {name}
          </button>
        </p>
      ))}
    </>
  )
}

export function SignOut() {
  return (
    <button type="button" onClick={() => change('DELETE')}>
      Sign out
    </button>
  )
}

async function change(method: string, body?: object) {
  const json = { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  await fetch('/api/account/session', { method, ...(body && json) })
  window.location.reload()
}
