// The first thing that the console does: a one-time code in the fragment signs in, otherwise the session of before is asked for.

import { store } from './store.ts'
import { readSession, signIn } from './session.ts'
import { Failed } from './api.ts'
import { session } from './session.ts'

/** What the sign-in page says of a link that did not work. */
export const linkProblem = store<string | null>(null)

/** Why it is not known who is signed in. */
export const startProblem = store<Failed | null>(null)

export async function begin(): Promise<void> {
  const code = takeCode()
  if (code !== null) return signInByCode(code)
  startProblem.set(null)
  try {
    await readSession()
  } catch (error) {
    startProblem.set(error instanceof Failed ? error : new Failed(0, { error: String(error) }))
  }
}

/** The code of the fragment, which is removed from the address before it is used. */
function takeCode(): string | null {
  const code = new URLSearchParams(location.hash.slice(1)).get('code')
  if (code !== null) history.replaceState(null, '', location.pathname + location.search)
  return code
}

async function signInByCode(code: string): Promise<void> {
  const result = await signIn({ code })
  if (result.ok) return
  linkProblem.set(result.message)
  session.set(null)
}
