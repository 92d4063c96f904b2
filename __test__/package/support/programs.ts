import { expect, test } from 'vitest'
import type { Consumer } from './consumer.js'

/** The code that every program runs with the package, and prints the results of. */
const USE = `
  const { key } = await createApiKey({ name: 'Program', clientId: 'acme' })
  const verification = await verifyApiKey(key)
  const response = await withApiKey(() => new Response())(new Request('http://localhost'))
  console.log(verification.code, response.status)
  await close()`
export const SAYS = { code: 0, stdout: 'VALID 401\n', stderr: '' }

/** Without a secret, a process warns. */
export const JWT_SECRET = 'a secret that is long enough to be one'

export const IMPORTS = `
  import { close, createApiKey, verifyApiKey } from '@sophra/api-keys'
  import { withApiKey } from '@sophra/api-keys/next'`

export const MODULE = `${IMPORTS}\n${USE}`

const COMMONJS = `
  const { close, createApiKey, verifyApiKey } = require('@sophra/api-keys')
  const { withApiKey } = require('@sophra/api-keys/next')
  ;(async () => { ${USE} })()`

/** Asks a program of each kind of module. */
export function testPrograms(app: () => Consumer, databaseUrl: () => string): void {
  test.each([
    ['CommonJS', 'program.cjs', COMMONJS],
    ['ES modules', 'program.mjs', MODULE],
  ])('%s', async (_kind, name, text) => {
    app().write(name, text)
    const ended = await app().node([name], { DATABASE_URL: databaseUrl(), JWT_SECRET })
    expect(ended).toMatchObject(SAYS)
  })
}
