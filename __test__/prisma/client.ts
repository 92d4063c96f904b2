import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { run } from '../support/child.js'

const folder = fileURLToPath(new URL('.', import.meta.url))
const packages = createRequire(import.meta.url)

// The client is generated while the tests run, so it has no types here.
export type PrismaClient = Record<string, any>

/** Makes a client of the models, as an app would: by the generator of Prisma, with the adapter for `pg`. */
export async function generate(
  name: string,
  models: string,
): Promise<(databaseUrl: string) => PrismaClient> {
  const output = `${folder}generated/${name}`
  mkdirSync(output, { recursive: true })
  const schema = `${output}/schema.prisma`
  writeFileSync(
    schema,
    `generator client {
      provider   = "prisma-client"
      output     = "client"
      engineType = "client"
    }
    datasource db {
      provider = "postgresql"
    }
    ${models}`,
  )
  await prisma('validate', '--schema', schema)
  await prisma('generate', '--schema', schema)
  const { PrismaClient } = (await import(`${output}/client/client.ts`)) as Record<string, any>
  return (databaseUrl) => new PrismaClient({ adapter: adapterFor(databaseUrl) }) as PrismaClient
}

/** The adapter for `pg`, by which Prisma reaches a database without its engine. */
export function adapterFor(connectionString: string): Record<string, any> {
  const { PrismaPg } = packages('@prisma/adapter-pg')
  return new PrismaPg({ connectionString })
}

async function prisma(...args: string[]): Promise<void> {
  let bin: string
  try {
    bin = packages.resolve('prisma/build/index.js')
  } catch {
    throw new Error(
      'Prisma is not installed here yet: `npm test` does it, or `npm ci` in __test__/prisma',
    )
  }
  const child = await run([process.execPath, bin, ...args], {
    // Both commands run without the engine, which would be downloaded if it did not seem to be there.
    env: { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: '1' },
  })
  expect(child.code, child.stdout + child.stderr).toBe(0)
}
