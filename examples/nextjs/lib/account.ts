import { jwtVerify, SignJWT } from 'jose'

// A sign-in for demonstrations: whoever asks is let in. It is switched on by a secret, which `npm start` makes.

export const CLIENTS = { acme: 'Acme', globex: 'Globex' } as const
export type Client = keyof typeof CLIENTS

export const COOKIE = 'demo-account'
const HOURS = 12

/** The secret that signs sessions; without one, nobody can sign in. */
function secret(): Uint8Array | undefined {
  const text = process.env.DEMO_ACCOUNT_SECRET ?? ''
  return text.length >= 32 ? new TextEncoder().encode(text) : undefined
}

export const isSwitchedOn = () => secret() !== undefined

export const isClient = (value: unknown): value is Client =>
  typeof value === 'string' && Object.hasOwn(CLIENTS, value)

/** The cookie of a new session. */
export async function signIn(client: Client): Promise<string> {
  const token = new SignJWT({ sub: client }).setProtectedHeader({ alg: 'HS256' })
  const signed = await token.setExpirationTime(`${HOURS}h`).sign(secret()!)
  return cookieOf(signed, HOURS * 3_600)
}

export const signOut = () => cookieOf('', 0)

/** Pages cannot read it, and other sites cannot have it sent. An app that is served by https adds `Secure`. */
const cookieOf = (value: string, seconds: number) =>
  `${COOKIE}=${value}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${seconds}`

/** The client that a session is of, by the value of its cookie. */
export async function clientOf(session: string | undefined): Promise<Client | undefined> {
  const key = secret()
  if (!key || !session) return undefined
  try {
    const { payload } = await jwtVerify(session, key, {
      algorithms: ['HS256'],
      requiredClaims: ['exp'],
    })
    return isClient(payload.sub) ? payload.sub : undefined
  } catch {
    return undefined
  }
}

/** The value of the cookie in a request. */
export function sessionIn(request: Request): string | undefined {
  const cookies = (request.headers.get('cookie') ?? '').split('; ')
  return cookies.find((cookie) => cookie.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1)
}
