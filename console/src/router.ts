// The address as state. Pages are few, so a table of them in `app.tsx` is the whole router.

import { mount, segmentsOf, withQuery } from './address.ts'
import { store } from './store.ts'

export interface Place {
  segments: string[]
  query: URLSearchParams
}

const placeOf = (url: URL | Location): Place => ({
  segments: segmentsOf(url.pathname),
  query: new URLSearchParams(url.search),
})

export const place = store<Place>(placeOf(location))

/** Asked before the page is left; `false` keeps it. */
let guard: (() => boolean) | null = null

/** Keeps the page until the returned function is called: what it shows cannot be shown again. */
export function keepPage(ask: () => void): () => void {
  const address = location.href
  guard = () => {
    // The Back button has changed the address already.
    if (location.href !== address) history.pushState(null, '', address)
    ask()
    return false
  }
  const warn = (event: BeforeUnloadEvent) => event.preventDefault()
  addEventListener('beforeunload', warn)
  return () => {
    guard = null
    removeEventListener('beforeunload', warn)
  }
}

export function navigate(to: string, { replace = false } = {}): void {
  if (guard && !guard()) return
  const url = new URL(to, location.origin)
  const before = location.pathname
  history[replace ? 'replaceState' : 'pushState'](null, '', url.href)
  place.set(placeOf(url))
  if (url.pathname !== before) scrollTo(0, 0)
}

/** Until the page that was navigated away from is gone, and asks for nothing any more. */
export const left = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))

/** Changes parameters of the address, of which those without a value are left out. */
export function setQuery(
  changes: Record<string, string | null | undefined>,
  { replace = false } = {},
): void {
  const query = new URLSearchParams(location.search)
  for (const [name, value] of Object.entries(changes)) {
    if (value) query.set(name, value)
    else query.delete(name)
  }
  navigate(withQuery(location.pathname, query), { replace })
}

/** Follows links within the console without loading the page again. */
export function followLinks(): void {
  addEventListener('popstate', () => {
    if (!guard || guard()) place.set(placeOf(location))
  })
  document.addEventListener('click', (event) => {
    const link = (event.target as Element).closest?.('a')
    if (!link || event.defaultPrevented || event.button !== 0 || isModified(event)) return
    if (link.target || link.hasAttribute('download') || link.origin !== location.origin) return
    if (!`${link.pathname}/`.startsWith(mount) || link.pathname.startsWith(`${mount}api/`)) return
    if (link.hash && link.pathname === location.pathname) return
    event.preventDefault()
    navigate(link.pathname + link.search)
  })
}

const isModified = (event: MouseEvent) =>
  event.metaKey || event.ctrlKey || event.shiftKey || event.altKey
