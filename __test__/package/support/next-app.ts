import { renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { expect } from 'vitest'
import { fileOf } from '../../docs/markdown.js'
import { serve, type Server } from '../../support/example-server.js'
import type { Consumer } from './consumer.js'

const page = 'docs/quick-start/nextjs.md'

/** What the quick start says to write for a version, with an output that is complete in itself. */
export function configOf(major: number): string {
  const config = fileOf(page, 'next.config.mjs', major === 14 ? 1 : 0)
  return config.replace('{', "{\n  output: 'standalone',")
}

/** Writes a file of the quick start. */
export const writeFromPage = (app: Consumer, file: string): void =>
  app.write(file, fileOf(page, file))

export async function build(app: Consumer): Promise<void> {
  const done = await app.node(['node_modules/next/dist/bin/next', 'build'])
  expect(done.code, done.stdout + done.stderr).toBe(0)
}

/** The standalone output, in a place where nothing else is: what it needs is in it. */
export function serveStandalone(app: Consumer, env: Record<string, string>): Promise<Server> {
  const moved = `${app.folder}-standalone`
  rmSync(moved, { recursive: true, force: true })
  renameSync(path.join(app.folder, '.next/standalone'), moved)
  return serve(() => [path.join(moved, 'server.js')], moved, env, app.executable)
}
