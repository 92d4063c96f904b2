import { createRequire } from 'node:module'

/** The package as an application loads it: by Node itself, not transformed by vitest. */
export const addon = createRequire(import.meta.url)(
  '../../index.js',
) as typeof import('../../index.js')

/** Hashing as cheap as the addon permits, for files that hash a lot, and no warning of it. */
export const cheapHashing = { argon2MemoryKib: 8, argon2Iterations: 1, log: 'off' } as const

/** The same without its types, for what TypeScript would not let through. */
export const untyped = addon as unknown as Record<string, (...args: unknown[]) => Promise<never>>
