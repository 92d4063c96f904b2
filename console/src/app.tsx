// Which page stands at which address, and the frame around it.

import type { ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { address } from './address.ts'
import { connection } from './api.ts'
import { usePolling } from './data.ts'
import { Frame } from './frame.tsx'
import { SignIn } from './pages/sign-in.tsx'
import { navigate, place } from './router.ts'
import { destination, may, readSession, session } from './session.ts'
import { begin, startProblem } from './start.ts'
import { useStore } from './store.ts'
import { Page } from './ui/layout.tsx'
import { Empty, ErrorNote, Skeleton } from './ui/states.tsx'
import { LinkButton } from './ui/button.tsx'
import { Toasts } from './ui/toast.tsx'

type PageComponent = ComponentType<{ id: string }>

/** Each page is a file of its own, which is loaded when it is first seen. */
const pages: [pattern: RegExp, permission: string, load: () => Promise<PageComponent>][] = [
  [/^$/, '', async () => (await import('./pages/overview.tsx')).Overview],
  [/^keys$/, 'keys:read', async () => (await import('./pages/keys.tsx')).Keys],
  [/^keys\/new$/, '', async () => (await import('./pages/create-key.tsx')).CreateKey],
  [/^keys\/[^/]+$/, 'keys:read', async () => (await import('./pages/key.tsx')).KeyOrForm],
  [/^clients$/, 'clients:read', async () => (await import('./pages/clients.tsx')).Clients],
  [/^clients\/[^/]+$/, 'clients:read', async () => (await import('./pages/client.tsx')).ClientPage],
  [/^roles$/, 'roles:read', async () => (await import('./pages/roles.tsx')).Roles],
  [
    /^admin-tokens$/,
    'admin-tokens:read',
    async () => (await import('./pages/admin-tokens.tsx')).AdminTokens,
  ],
  [/^webhooks$/, 'webhooks:read', async () => (await import('./pages/webhooks.tsx')).Webhooks],
  [/^audit-log$/, 'audit:read', async () => (await import('./pages/audit-log.tsx')).AuditLog],
]

const SESSION_POLL = 10_000

export function App() {
  const current = useStore(session)
  const problem = useStore(startProblem)
  const { segments } = useStore(place)
  const isSignIn = segments.length === 1 && segments[0] === 'sign-in'

  useEffect(() => {
    if (current === null && !isSignIn) {
      const next = location.pathname + location.search
      const isStart = next === address([])
      navigate(address(['sign-in'], isStart ? {} : { next }), { replace: true })
    }
    if (current && isSignIn) navigate(destination(), { replace: true })
  }, [current, isSignIn])

  // So that a page nobody touches also learns that its session has ended.
  usePolling(current ? SESSION_POLL : undefined, () => readSession().catch(() => {}))

  return (
    <>
      {problem && !current ? (
        <main class="lonely">
          <ErrorNote error={problem} retry={() => void begin()} />
        </main>
      ) : current === undefined ? (
        <main class="lonely" aria-busy="true">
          <Skeleton />
        </main>
      ) : current === null || isSignIn ? (
        <SignIn />
      ) : (
        <Frame>
          <CurrentPage segments={segments} />
        </Frame>
      )}
      <Toasts />
    </>
  )
}

function CurrentPage({ segments }: { segments: string[] }) {
  // Encoded, so that a slash within a segment is none between two.
  const path = segments.map(encodeURIComponent).join('/')
  const found = pages.find(([pattern]) => pattern.test(path))
  const [loaded, setLoaded] = useState<{ pattern: RegExp; Component: PageComponent }>()
  useEffect(() => {
    if (!found || (found[1] !== '' && !may(found[1]))) return
    const [pattern, , load] = found
    let isWanted = true
    load().then(
      (Component) => isWanted && setLoaded({ pattern, Component }),
      // A file of another version of the console is gone: the page of this version has other ones.
      () => connection.set('offline'),
    )
    return () => {
      isWanted = false
    }
  }, [found?.[0]])
  if (!found) return <NotFound />
  if (found[1] !== '' && !may(found[1])) return <NotPermitted permission={found[1]} />
  if (loaded?.pattern !== found[0])
    return (
      <div class="load" aria-busy="true">
        <Skeleton lines={6} height={20} />
      </div>
    )
  const { Component } = loaded
  return <Component key={path} id={segments[1] ?? ''} />
}

function NotFound() {
  return (
    <Page title="Not found" name="Not found">
      <Empty title="There is no such page">
        <LinkButton href={address([])}>Go to Overview</LinkButton>
      </Empty>
    </Page>
  )
}

function NotPermitted({ permission }: { permission: string }) {
  return (
    <Page title="Not permitted" name="Not permitted">
      <Empty icon="tokens" title="You do not have permission to see this page">
        It needs <code>{permission}</code>.
      </Empty>
    </Page>
  )
}
