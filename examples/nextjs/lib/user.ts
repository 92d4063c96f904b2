import { jwtVerify } from 'jose'

export interface User {
  id: string
}

/** The signed-in user, if the request carries a valid JWT (HS256, `USER_JWT_SECRET`). */
export async function signedInUser(request: Request): Promise<User | undefined> {
  const secret = process.env.USER_JWT_SECRET
  const token = bearerToken(request)
  if (!secret || !token) return undefined
  try {
    const { payload } = await jwtVerify(token, new TextEncoder().encode(secret), {
      algorithms: ['HS256'],
      requiredClaims: ['sub', 'exp'],
    })
    return { id: payload.sub as string }
  } catch {
    return undefined
  }
}

function bearerToken(request: Request): string | undefined {
  return /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
}
