// Addresses of the console's own pages. The server writes its mount into `<base>`.

/** The path under which the console is served. It ends in `/`. */
export const mount: string = new URL('.', document.baseURI).pathname

export type Query = Record<string, string | number | boolean | null | undefined>

/** The address of a page: its segments hold any text. Parameters without a value are left out. */
export function address(segments: string[], query: Query = {}): string {
  const path = segments.map(encodeURIComponent).join('/')
  return withQuery(path === '' ? mount.replace(/(.)\/$/, '$1') : mount + path, query)
}

export function withQuery(path: string, query: Query | URLSearchParams): string {
  const parameters = query instanceof URLSearchParams ? query : parametersOf(query)
  return parameters.size === 0 ? path : `${path}?${parameters}`
}

function parametersOf(query: Query): URLSearchParams {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== null && value !== undefined && value !== '') parameters.set(name, String(value))
  return parameters
}

/** Segments that servers and proxies keep as they are. */
const PLAIN = /^(?!\.{1,2}$)[\w.~@:-]+$/

/** The address of a client, whose id may be any text: one that a path might lose is a parameter. */
export function clientAddress(clientId: string): string {
  return PLAIN.test(clientId)
    ? address(['clients', clientId])
    : address(['clients', '-'], { id: clientId })
}

export const keyAddress = (id: string): string => address(['keys', id])

/** The segments of a path below the mount. What cannot be decoded is left as it is. */
export function segmentsOf(pathname: string): string[] {
  const below = pathname.startsWith(mount) ? pathname.slice(mount.length) : ''
  return below.split('/').filter(Boolean).map(decoded)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** A path of this console as it was given in a parameter: nothing else is followed. */
export function ownPath(text: string | null): string | null {
  if (!text || !URL.canParse(text, location.origin)) return null
  const url = new URL(text, location.origin)
  const isOwn = url.origin === location.origin && `${url.pathname}/`.startsWith(mount)
  return isOwn ? url.pathname + url.search : null
}
