// The frame around every page: where one can go, who is signed in, and whether the server answers.

import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { address } from './address.ts'
import { connection } from './api.ts'
import { place } from './router.ts'
import { signOut, useSession } from './session.ts'
import { useStore } from './store.ts'
import { Button } from './ui/button.tsx'
import { Icon, type IconName } from './ui/icons.tsx'
import { tell } from './ui/toast.tsx'

const links: { segment: string; text: string; icon: IconName; permission: string }[] = [
  { segment: '', text: 'Overview', icon: 'overview', permission: '' },
  { segment: 'keys', text: 'Keys', icon: 'keys', permission: 'keys:read' },
  { segment: 'clients', text: 'Clients', icon: 'clients', permission: 'clients:read' },
  { segment: 'roles', text: 'Roles', icon: 'roles', permission: 'roles:read' },
  {
    segment: 'admin-tokens',
    text: 'Admin tokens',
    icon: 'tokens',
    permission: 'admin-tokens:read',
  },
  { segment: 'webhooks', text: 'Webhooks', icon: 'webhooks', permission: 'webhooks:read' },
  { segment: 'audit-log', text: 'Audit log', icon: 'audit', permission: 'audit:read' },
]

export function Frame({ children }: { children: ComponentChildren }) {
  const { name, permissions, by } = useSession()
  const { segments } = useStore(place)
  const holds = (permission: string) =>
    permission === '' || permissions.includes(permission) || permissions.includes('*')
  const here = segments[0] ?? ''
  return (
    <div class="frame">
      <aside class="sidebar">
        <a class="skip" href={address(segments)} onClick={skip}>
          Skip to content
        </a>
        <div class="brand">
          <span class="brand-mark" aria-hidden="true">
            <Icon name="keys" size={18} />
          </span>
          <span class="brand-name">API keys</span>
        </div>
        <nav aria-label="Pages">
          {links
            .filter(({ permission }) => holds(permission))
            .map(({ segment, text, icon }) => (
              <a
                key={segment}
                href={address(segment ? [segment] : [])}
                aria-current={segment === here ? 'page' : undefined}
              >
                <Icon name={icon} />
                {text}
              </a>
            ))}
        </nav>
        <div class="who">
          <span class="who-name" title={name}>
            <bdi>{name}</bdi>
          </span>
          {by !== 'app' && (
            <Button small onClick={leave}>
              Sign out
            </Button>
          )}
        </div>
      </aside>
      <main id="content" class="content" tabIndex={-1}>
        <Connection />
        {children}
      </main>
    </div>
  )
}

const leave = () => signOut().catch((error: Error) => tell(error.message, true))

/** A fragment alone would be one of the base address, which is another page. */
function skip(event: Event) {
  event.preventDefault()
  document.getElementById('content')?.focus()
}

/** What keeps pages from being current. */
function Connection() {
  const state = useStore(connection)
  const [online, setOnline] = useState(navigator.onLine)
  useEffect(() => {
    const update = () => setOnline(navigator.onLine)
    addEventListener('online', update)
    addEventListener('offline', update)
    return () => {
      removeEventListener('online', update)
      removeEventListener('offline', update)
    }
  }, [])
  const text = !online
    ? 'You are offline. What you see may be out of date; it is read again once you are back.'
    : state === 'offline'
      ? 'The server cannot be reached. What you see may be out of date; the console keeps trying.'
      : state === 'outage'
        ? 'The database does not answer. Keys that are in memory are still verified; changes have to wait.'
        : null
  return (
    <div role="status">
      {text && (
        <div class={state === 'outage' && online ? 'banner outage' : 'banner'}>
          <Icon name="warning" />
          {text}
        </div>
      )}
    </div>
  )
}
