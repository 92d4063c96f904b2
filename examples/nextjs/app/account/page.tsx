import '@sophra/api-keys/react.css'
import type { Metadata } from 'next'
import { cookies } from 'next/headers'
import { notFound } from 'next/navigation'
import { CLIENTS, clientOf, COOKIE, isSwitchedOn } from '@/lib/account'
import { Keys, SignIn, SignOut } from './parts'

export const dynamic = 'force-dynamic'
export const metadata: Metadata = { title: 'Your account' }

/** The page of a client, who manages their keys on it. */
export default async function Page() {
  if (!isSwitchedOn()) notFound()
  const client = await clientOf(cookies().get(COOKIE)?.value)
  return (
    <main>
      <h1>{client ? `Account of ${CLIENTS[client]}` : 'Your account'}</h1>
      {client ? (
        <>
          <SignOut />
          <Keys />
        </>
      ) : (
        <SignIn clients={Object.entries(CLIENTS)} />
      )}
    </main>
  )
}
