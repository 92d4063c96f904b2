import { renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { expect } from 'vitest'
import { blocks, chapter, read } from '../../docs/markdown.js'
import { serve, type Server } from '../../support/example-server.js'
import type { Consumer } from './consumer.js'

/** The configuration that the documentation gives for a version, and the output that is copied to be served. */
export function configOf(major: number): string {
  const install = chapter(read('README.md'), 'Use it in your app')
  const [for14] = blocks(install, 'js')
  const [, option] = /From Next\.js 15 on that is `(.+?)`/.exec(install)!
  const config = major === 14 ? for14! : `export default { ${option} }\n`
  return config.replace('{', "{ output: 'standalone',")
}

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
