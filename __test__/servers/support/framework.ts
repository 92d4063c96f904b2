import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root } from '../../support/child.js'
import type { GuardedApiKey } from '../../../next.js'

/** Loads packages as an application does: by Node itself, not transformed by vitest. */
export const load = createRequire(import.meta.url)

export function versionOf(name: string, folder = root): string {
  const manifest = readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

/** A route as every framework serves it. Without `options` it has no guard. */
export interface Route {
  method: 'get' | 'options' | 'post'
  path: string
  options?: object
  handle(call: Call): Result | Promise<Result>
}

/** What the handler of a route gets. */
export interface Call {
  apiKey: GuardedApiKey
  /** Reads the body of the request, which is JSON. */
  body(): Promise<unknown>
}

export interface Result {
  status?: number
  headers?: Record<string, string>
  body: unknown
}

/** One version of a framework. */
export interface Framework {
  name: string
  version: string
  /** Makes a guard that nothing uses, by options that may be wrong. */
  guard(options: unknown): unknown
  serve(routes: Route[]): Promise<Server>
}

export interface Server {
  url: string
  close(): Promise<unknown>
}
