import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { generateKeyPairSync } from 'node:crypto'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fileOf } from '../docs/markdown.js'
import { addon } from '../support/addon.js'
import { root } from '../support/child.js'
import { claimsOf } from '../support/jwt.js'
import { useAddon } from '../support/use-addon.js'
import { derived, headerOf, jwks, jwtSecret, signed } from './support.js'

// The Python of the documentation, against a server of the JWKS. `PYTHON` names another interpreter that has PyJWT.

const candidates = [process.env.PYTHON, path.join(root, 'target/tools/bin/python'), 'python3']
const python = candidates.find(
  (it) => it && spawnSync(it, ['-c', 'import jwt.algorithms as a; a.OKPAlgorithm']).status === 0,
)
if (!python)
  console.warn('Skipped: no Python here has PyJWT with cryptography: pip install pyjwt[crypto]')

useAddon({ jwtSecret })

let server: Server
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'tokens-'))
  writeFileSync(
    path.join(folder, 'verify.py'),
    fileOf('docs/guides/tokens-in-other-languages.md', 'verify.py'),
  )
  server = createServer(async (_request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(await jwks()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(() => {
  server?.close()
  if (existsSync(folder)) rmSync(folder, { recursive: true })
})

/** What Python says of each token: its claims and whether it holds a scope, or the error. */
const PROGRAM = `
import json, sys
from verify import verify, holds
answers = []
for token, audience in json.load(sys.stdin):
    try:
        claims = verify(token, audience)
        answers.append({"claims": claims, "reads": holds(claims, "docs:read"), "mails": holds(claims, "mail:send")})
    except Exception as error:
        answers.append({"error": type(error).__name__})
print(json.dumps(answers))
`

async function ask(tokens: [string, string | null][]): Promise<any[]> {
  const { port } = server.address() as AddressInfo
  const env = {
    PATH: process.env.PATH,
    JWKS_URL: `http://127.0.0.1:${port}/`,
    PYTHONDONTWRITEBYTECODE: '1',
  }
  const running = promisify(execFile)(python!, ['-c', PROGRAM], { cwd: folder, env })
  running.child.stdin!.end(JSON.stringify(tokens))
  return JSON.parse((await running).stdout)
}

test.skipIf(!python)('PyJWT verifies tokens by the JWKS, and refuses forged ones', async () => {
  const { key } = await addon.createApiKey({ name: 'Key', clientId: 'c', scopes: ['docs:*'] })
  const token = await derived(key, { claims: { tenant: 'north' } })
  const forBilling = await derived(key, { audience: 'billing' })
  const rotated = await addon.rotateTokenKey().then(() => derived(key))
  const stranger = generateKeyPairSync('ed25519').privateKey
  const [head, body, signature] = token.split('.')
  const answers = await ask([
    [token, null],
    [forBilling, 'billing'],
    [rotated, null],
    [forBilling, null],
    [token, 'billing'],
    [signed(headerOf(token), claimsOf(token), stranger), null],
    [`${head}.${body}.${signature!.slice(0, -4)}AAAA`, null],
    [`${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`, null],
    ['something else', null],
  ])
  expect(answers.slice(0, 3)).toMatchObject([
    { claims: claimsOf(token), reads: true, mails: false },
    { claims: claimsOf(forBilling) },
    { claims: claimsOf(rotated) },
  ])
  for (const answer of answers.slice(3)) expect(answer).toEqual({ error: expect.any(String) })
  expect(answers[3]).toEqual({ error: 'InvalidAudienceError' })
  expect(answers[5]).toEqual({ error: 'InvalidSignatureError' })
})
