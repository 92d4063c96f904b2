import { existsSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase, type Database } from '../support/database.js'
import { tool, useConsumers, type Consumer } from './support/consumer.js'
import { IMPORTS, JWT_SECRET, MODULE, SAYS, testPrograms } from './support/programs.js'

const consumer = useConsumers()
let app: Consumer
let database: Database

beforeAll(async () => {
  database = await freshDatabase()
  app = consumer()
  app.write('package.json', '{ "private": true }')
  await app.install('@sophra/api-keys')
})
afterAll(() => database.drop())

const run = (file: string, ...options: string[]) =>
  app.node([...options, file], { DATABASE_URL: database.url, JWT_SECRET })

test('a machine of a user has no Rust', async () => {
  const script = `console.log(require('child_process').spawnSync('cargo').error?.code)`
  expect((await app.node(['--eval', script])).stdout).toBe('ENOENT\n')
})

testPrograms(
  () => app,
  () => database.url,
)

test('what is not exported cannot be reached', async () => {
  const script = `try { require('@sophra/api-keys/native.js') } catch ({ code }) { console.log(code) }`
  expect((await app.node(['--eval', script])).stdout).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED\n')
})

describe('TypeScript', () => {
  const compile = async (options: Record<string, string>) => {
    app.write('program.mts', MODULE)
    app.write(
      'wrong.mts',
      `${IMPORTS}
      // @ts-expect-error: a name is needed
      await createApiKey({ clientId: 'acme' })
      const verification = await verifyApiKey('key')
      // @ts-expect-error: a refusal has no client
      console.log(verification.clientId, close, withApiKey)`,
    )
    const compilerOptions = {
      target: 'es2022',
      lib: ['es2022', 'dom'],
      types: [],
      strict: true,
      outDir: 'out',
      ...options,
    }
    app.write(
      'tsconfig.json',
      JSON.stringify({ compilerOptions, files: ['program.mts', 'wrong.mts'] }),
    )
    const { code, stdout } = await app.node([tool('typescript/bin/tsc')])
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    expect(existsSync(path.join(app.folder, 'out/program.mjs'))).toBe(true)
  }

  test('node16', async () => {
    await compile({ module: 'node16', moduleResolution: 'node16' })
    expect(await run('out/program.mjs')).toMatchObject(SAYS)
  })

  test('bundler', async () => {
    await compile({ module: 'esnext', moduleResolution: 'bundler' })
    expect(await run('out/program.mjs')).toMatchObject(SAYS)
  })
})
