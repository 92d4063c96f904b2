// Who is signed in, and what they may do.

import { request, sessionEnded, Failed } from './api.ts'
import { address, ownPath } from './address.ts'
import { forgetData } from './data.ts'
import { left, navigate } from './router.ts'
import { store, useStore } from './store.ts'
import type { Session, SessionAnswer } from './types.ts'

/** `undefined`: not known yet. `null`: nobody. */
export const session = store<Session | null | undefined>(undefined)

/** What the sign-in page says first. */
export const farewell = store<string | null>(null)

const ENDED = 'Your session has ended. Sign in again to go on where you were.'

/** Asks the server, which answers also where nobody is signed in. */
export async function readSession(): Promise<void> {
  const answer = await request<SessionAnswer>('GET', 'session')
  if (answer.signedIn) keepSession(answer)
  else if (session.get()) endSession()
  else session.set(null)
}

/** A session that is as before keeps its identity, so that nothing is drawn again. */
function keepSession(answer: Session): void {
  if (JSON.stringify(answer) !== JSON.stringify(session.get())) session.set(answer)
}

function endSession(): void {
  if (!session.get()) return
  forgetData()
  farewell.set(ENDED)
  session.set(null)
}

sessionEnded.listener = endSession

export type SignInResult = { ok: true } | { ok: false; message: string }

/** Signs in with an admin token or a code. Says so if the browser did not keep the cookie. */
export async function signIn(
  credential: { token: string } | { code: string },
): Promise<SignInResult> {
  // Before it is sent: others on the way could read it, and the browser would not keep the cookie.
  if (!isSecureContext) return { ok: false, message: NOT_SECURE }
  try {
    const answer = await request<SessionAnswer>('POST', 'session', { body: credential })
    if (!answer.signedIn) return { ok: false, message: answer.message ?? 'That did not work' }
    const kept = await request<SessionAnswer>('GET', 'session')
    if (!kept.signedIn) return { ok: false, message: NO_COOKIE }
    farewell.set(null)
    session.set(kept)
    return { ok: true }
  } catch (error) {
    return { ok: false, message: messageOf(error) }
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof Failed)) return String(error)
  const { status, retryAfterSeconds } = error
  if (status !== 429) return error.message
  const wait = retryAfterSeconds ? ` Try again in ${retryAfterSeconds} s.` : ''
  return `Too many attempts with wrong tokens.${wait}`
}

const NOT_SECURE =
  'This address is not secure, so your browser would not keep the session cookie. Open the console over https, or on localhost.'
const NO_COOKIE =
  'The token is right, but your browser did not keep the session cookie. Allow cookies for this site, and sign in again.'

export async function signOut(): Promise<void> {
  const before = session.get()
  // The page is taken away first, so that it asks for nothing that it is no longer allowed to.
  session.set(undefined)
  await left()
  try {
    await request('DELETE', 'session')
  } catch (error) {
    session.set(before)
    throw error
  }
  forgetData()
  farewell.set('You are signed out.')
  navigate(address(['sign-in']), { replace: true })
  session.set(null)
}

/** Where to go after signing in. */
export const destination = (): string =>
  ownPath(new URLSearchParams(location.search).get('next')) ?? address([])

export const may = (permission: string): boolean => {
  const permissions = session.get()?.permissions ?? []
  return permissions.includes(permission) || permissions.includes('*')
}

export function useSession(): Session {
  const current = useStore(session)
  // Pages are drawn only for who is signed in; one that is being left may be drawn once more.
  return current ?? nobody
}

const nobody: Session = {
  signedIn: true,
  name: '',
  permissions: [],
  expiresAt: null,
  scopes: null,
  kinds: null,
  environments: ['live'],
}
