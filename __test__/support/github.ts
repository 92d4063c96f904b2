import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'

// A signer of reports as GitHub is one. The pair of keys is real, and so is the signature.

export interface Signer {
  /** The entry in the list of public keys. */
  entry: { key_identifier: string; key: string; is_current: boolean }
  /** In PEM, for another program that signs. */
  privateKey: string
  /** The headers with which GitHub would send this body. */
  headersFor(body: string | Buffer): Record<string, string>
}

export function makeSigner(namedCurve = 'prime256v1'): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve })
  const key = pem(publicKey, 'spki')
  const id = createHash('sha256').update(key).digest('hex')
  return {
    entry: { key_identifier: id, key, is_current: true },
    privateKey: pem(privateKey, 'pkcs8'),
    headersFor: (body) => ({
      'content-type': 'application/json',
      'github-public-key-identifier': id,
      'github-public-key-signature': sign('sha256', Buffer.from(body), privateKey).toString(
        'base64',
      ),
    }),
  }
}

const pem = (key: KeyObject, type: 'spki' | 'pkcs8'): string =>
  key.export({ format: 'pem', type } as never) as string
